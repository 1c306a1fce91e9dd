"""What a loss makes of given moments: the spectrum after training by theory, and refined on the rows themselves."""
