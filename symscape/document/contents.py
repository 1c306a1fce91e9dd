"""What stands around the derivations: titles of results, notation, losses, references, and the preamble."""

from __future__ import annotations

#: What each result of the theory is about.
TITLES = {
    "T1": "Landscapes",
    "T2": "Symmetry and the origin",
    "T3": "The Hessian at the origin",
    "T4": "Stationary points",
    "T5": "Weight decay",
    "T6": "Feature strength against augmentation strength",
    "T7": "Normalisation",
    "T8": "Bias and mean",
    "T9": "Losses that count outputs apart",
    "T10": "Data imbalance",
    "T11": "When collapse helps",
    "T12": "Figure 1",
    "X1": "InfoNCE in closed form",
    "X2": "Equivalent losses",
    "X3": "A finite number of negatives",
    "X4": "Features that are not Gaussian",
    "X5": "Gradient flow",
    "X6": "Inverse design",
    "X7": "Losses of a user's own",
}

#: Symbol and meaning, in plain text.
NOTATION = (
    ("`s`, `x`, `x'`", "a datum, and two augmented views of it, independent given `s`"),
    ("`chi`", "an augmented view of an independent datum: a negative"),
    ("`phi(x)`", "features, of any network; they enter through their moments only"),
    ("`f(x) = W phi(x) + b`", "the representation: `W` is `d_1` by `d_0`; there is no bias `b` unless it is named"),
    ("`Sigma = E phi(x) phi(x)^T`", "second moment of the augmented features"),
    ("`A_0 = E phi(x) phi(x')^T`", "cross moment of two views of a datum, symmetric"),
    ("`C = Sigma - A_0`", "what augmentation adds, `C >= 0`; with a strength `s` it is `Sigma = A_0 + s C`"),
    ("`mean = E phi(x)`", "mean of the features, zero unless it is named"),
    ("`P = W Sigma W^T`, `M = W A_0 W^T`", "second moments of the representation"),
    ("`r_i`", "canonical correlations of the views: `A_0 u_i = r_i Sigma u_i`"),
    ("`lambda_i`", "eigenvalues of `A_0`; without an index, `lambda` is the weight of a loss"),
    ("`B`, `b_i`", "the quadratic part of a landscape is `-Tr(W B W^T)`; `B u_i = b_i Sigma u_i`, in descending order"),
    ("`p_i`", "strength of mode i: eigenvalue of `P` along it"),
    ("`tau`, `n`", "temperature; number of negatives, `n = oo` unless it is named"),
    ("`gamma`", "weight decay: adds `gamma ||W||_F^2` to a loss"),
    ("`Tr A B`, `A o B`", "trace of the product of what follows; product entry by entry"),
    ("`|v|`, `1`", "Euclidean norm; the number, and the identity matrix where a matrix is meant"),
)

#: Name, formula and source of each loss, in plain text.
LOSSES = (
    ("InfoNCE", "E |f(x) - f(x')|^2/(2 tau) + E_x log E_chi e^{-|f(x) - f(chi)|^2/(2 tau)}",
     "van den Oord et al., 2018, with the distances of arXiv 2210.00638; of dot products: `f(x).f(u)/tau` is the logit"),
    ("NT-Xent", "-E s(x, x')/tau + E_x log E_chi e^{s(x, chi)/tau}",
     "Chen et al., 2020; `s` is the cosine of `f(x)` and `f(u)`"),
    ("Spectral contrastive", "-2 E f(x).f(x') + E (f(x).f(chi))^2", "HaoChen et al., 2021"),
    ("Barlow Twins", "sum_i (1 - K_ii)^2 + lambda sum_{i != j} K_ij^2",
     "Zbontar et al., 2021; raw: `K = M`, batch-normalised: `K_ij = M_ij/sqrt((P_ii + epsilon) (P_jj + epsilon))`"),
    ("VICReg",
     "(lambda/d_1) E |f(x) - f(x')|^2 + (mu/d_1) sum_j max(0, 1 - sqrt(P_jj + epsilon)) + (2 nu/d_1) sum_{i != j} P_ij^2",
     "Bardes et al., 2022; defaults `lambda = mu = 25`, `nu = 1`, `epsilon = 1e-4`"),
)  # fmt: skip

#: Key, label and text of each reference.
REFERENCES = (
    (
        "bardes",
        "Bardes et al., 2022",
        r"A. Bardes, J. Ponce and Y. LeCun. VICReg: Variance-Invariance-Covariance Regularization for "
        r"Self-Supervised Learning. \emph{ICLR}, 2022. arXiv 2105.04906.",
    ),
    (
        "breiman",
        "Breiman and Freedman, 1983",
        r"L. Breiman and D. Freedman. How Many Variables Should Be Entered in a Regression Equation? "
        r"\emph{Journal of the American Statistical Association}, 78:131--136, 1983.",
    ),
    (
        "chen",
        "Chen et al., 2020",
        r"T. Chen, S. Kornblith, M. Norouzi and G. Hinton. A Simple Framework for Contrastive Learning of "
        r"Visual Representations. \emph{ICML}, 2020. arXiv 2002.05709.",
    ),
    (
        "haochen",
        "HaoChen et al., 2021",
        r"J. Z. HaoChen, C. Wei, A. Gaidon and T. Ma. Provable Guarantees for Self-Supervised Deep Learning "
        r"with Spectral Contrastive Loss. \emph{NeurIPS}, 2021. arXiv 2106.04156.",
    ),
    (
        "horn",
        "Horn, 1954",
        r"A. Horn. Doubly Stochastic Matrices and the Diagonal of a Rotation Matrix. \emph{American Journal of"
        r" Mathematics}, 76:620--630, 1954.",
    ),
    (
        "hotelling",
        "Hotelling, 1953",
        r"H. Hotelling. New Light on the Correlation Coefficient and its Transforms. \emph{Journal of the "
        r"Royal Statistical Society B}, 15:193--232, 1953.",
    ),
    (
        "jing",
        "Jing et al., 2021",
        r"L. Jing, P. Vincent, Y. LeCun and Y. Tian. Understanding Dimensional Collapse in Contrastive "
        r"Self-supervised Learning. arXiv 2110.09348, 2021.",
    ),
    (
        "oord",
        "van den Oord et al., 2018",
        r"A. van den Oord, Y. Li and O. Vinyals. Representation Learning with Contrastive Predictive Coding. "
        r"arXiv 1807.03748, 2018.",
    ),
    (
        "schur",
        "Schur, 1923",
        r"I. Schur. Über eine Klasse von Mittelbildungen mit Anwendungen auf die Determinantentheorie. "
        r"\emph{Sitzungsberichte der Berliner Mathematischen Gesellschaft}, 22:9--20, 1923.",
    ),
    (
        "sheppard",
        "Sheppard, 1899",
        r"W. F. Sheppard. On the Application of the Theory of Error to Cases of Normal Distribution and Normal"
        r" Correlation. \emph{Philosophical Transactions of the Royal Society A}, 192:101--167, 1899.",
    ),
    (
        "wang",
        "Wang and Isola, 2020",
        r"T. Wang and P. Isola. Understanding Contrastive Representation Learning through Alignment and "
        r"Uniformity on the Hypersphere. \emph{ICML}, 2020. arXiv 2005.10242.",
    ),
    (
        "zbontar",
        "Zbontar et al., 2021",
        r"J. Zbontar, L. Jing, I. Misra, Y. LeCun and S. Deny. Barlow Twins: Self-Supervised Learning via "
        r"Redundancy Reduction. \emph{ICML}, 2021. arXiv 2103.03230.",
    ),
    (
        "zhai",
        "Zhai et al., 2023",
        r"X. Zhai, B. Mustafa, A. Kolesnikov and L. Beyer. Sigmoid Loss for Language Image Pre-Training. "
        r"\emph{ICCV}, 2023. arXiv 2303.15343.",
    ),
    (
        "ziyin",
        "Ziyin et al., 2023",
        r"L. Ziyin, E. S. Lubana, M. Ueda and H. Tanaka. What Shapes the Loss Landscape of Self-Supervised "
        r"Learning? \emph{ICLR}, 2023. arXiv 2210.00638.",
    ),
)

PREAMBLE = r"""\documentclass[10pt,a4paper]{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{lmodern}
\usepackage[margin=2.6cm]{geometry}
\usepackage{amsmath,amssymb,amsthm}
\usepackage{array,booktabs,longtable,graphicx}
\usepackage{microtype}
\usepackage[hidelinks,bookmarksnumbered]{hyperref}
\hypersetup{pdftitle={What shapes the loss landscape of self-supervised learning: the derived conditions}}
% The same document makes the same file.
\pdfinfoomitdate=1 \pdfsuppressptexinfo=-1 \pdftrailerid{}
\allowdisplaybreaks
\emergencystretch=3em
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.45em plus 0.15em minus 0.1em}
\DeclareMathOperator{\Tr}{Tr}
\newcommand{\E}{\mathop{{}\mathbb{E}}\nolimits}
% A formula, made narrower where it would stand out of the line.
\newsavebox{\fitbox}
\newcommand{\fit}[1]{\sbox{\fitbox}{$\displaystyle #1$}%
  \ifdim\wd\fitbox>0.9\linewidth\resizebox{0.9\linewidth}{!}{\usebox{\fitbox}}\else\usebox{\fitbox}\fi}
% How a claim was checked: at the right end of its line, or of the next.
\newcommand{\note}[1]{\unskip\nobreak\hfil\penalty50\hskip1em\null\nobreak\hfill{\footnotesize\itshape #1}}
% A result that this document may leave out is named without a link.
\makeatletter
\newcommand{\result}[1]{\@ifundefined{r@#1}{#1}{\hyperref[#1]{#1}}}
\makeatother
\numberwithin{equation}{section}
\newcommand{\theoremname}{}
% Pages end before a theorem, not after the heading above it, nor between words and the list that they announce.
\makeatletter
\newcommand{\freebreak}{\par\if@nobreak\else\goodbreak\fi}
\@beginparpenalty=10000
\renewcommand{\@cite}[2]{#1}
\makeatother
\newtheoremstyle{result}{1.2em}{0.4em}{}{}{\bfseries}{}{\newline}{Theorem \theoremname. \thmnote{#3}}
\theoremstyle{result}
\newtheorem*{statement}{Theorem}
\newcommand{\theoremclaim}{}
\newenvironment{theorem}{\begin{statement}[\theoremclaim]}{\end{statement}}
\newtheoremstyle{remarks}{0.3em}{0.3em}{}{}{\itshape}{.}{0.5em}{\thmnote{#3}}
\theoremstyle{remarks}
\newtheorem*{remark}{Remark}
\newcommand{\newresult}[3]{\renewcommand{\theoremname}{#1}\renewcommand{\theoremclaim}{#2}\freebreak
  \phantomsection\addcontentsline{toc}{subsection}{\texorpdfstring{\protect\numberline{#1}#2}{#1. #3}}%
  \makeatletter\def\@currentlabel{#1}\makeatother\label{#1}}
\newenvironment{derivation}{\par\smallskip\textit{Derivation.}\ }{\par\medskip}
\newenvironment{kinds}{\begin{list}{}{\setlength{\leftmargin}{6.5em}\setlength{\labelwidth}{5.8em}\setlength{\itemsep}{0pt}%
  \renewcommand{\makelabel}[1]{\textit{##1}\hfill}}}{\end{list}}
\newenvironment{claims}{\begin{list}{}{\setlength{\leftmargin}{1.9em}\setlength{\labelwidth}{1.4em}%
  \setlength{\labelsep}{0.5em}\setlength{\itemsep}{0.15em}\setlength{\parsep}{0pt}\setlength{\topsep}{0.2em}%
  \renewcommand{\makelabel}[1]{\hss ##1}%
  \abovedisplayskip=6pt plus 2pt minus 1pt \belowdisplayskip=\abovedisplayskip
  \abovedisplayshortskip=\abovedisplayskip \belowdisplayshortskip=\abovedisplayskip}}{\end{list}}
% Names of theorems are wider than numbers of sections.
\makeatletter
\renewcommand*{\l@section}[2]{\addpenalty{-300}\vskip 0.5em{\parindent=0pt\rightskip=\@pnumwidth\parfillskip=-\@pnumwidth
  \leavevmode\bfseries\@tempdima=2.4em #1\nobreak\hfil\nobreak\hb@xt@\@pnumwidth{\hss #2}\par}\nobreak}
\renewcommand*{\l@subsection}{\@dottedtocline{2}{0pt}{12em}}
\makeatother
"""
