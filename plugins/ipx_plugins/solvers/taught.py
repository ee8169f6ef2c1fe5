"""What `ipx info` teaches of the solvers: formula, and when to take it. Imports nothing."""

FORMULAS = {
    "direct": "(A^T A + lam Q) x = A^T y in one step",
    "gradient": "x <- x - t grad F(x), t by Barzilai and Borwein",
    "fista": "x = prox_R(z - t grad f(z)), z extrapolated",
    "landweber": "x <- x + t A^T (y - A x)",
    "sirt": "x <- x + C A^T R (y - A x), R and C inverse row and column sums",
    "admm": "x = prox_f(v - u), v = prox_R(x + u), u = u + x - v",
    "hqs": "x = prox_f(v), v = prox_R(x), the penalty grows",
    "pdhg": "p = prox_g*(p + s K x), x = prox_f(x - t K^T p)",
    "condat-vu": "x, p: gradient step on f, prox of each term",
    "lbfgs": "x <- x - H_k grad F(x), H_k from the last steps",
    "adam": "x <- x - a_k m / (sqrt(v) + eps), m and v running moments of grad F",
    "pgd": "x = prox_f(x - t grad R(x))",
    "pnp-hqs": "x = prox_f(v), v = D(x, sigma_k), sigma_k falling",
    "pnp-admm": "x = prox_f(v - u), v = D(x + u), u = u + x - v",
    "pnp-fista": "x = D(z - t grad f(z), s)",
    "diffpir": "x_t: denoise, prox of f, add noise of level t - 1",
    "red": "x <- x - t (grad f(x) + lam (x - D(x)))",
}

ADVICE = {
    "direct": "Quadratic priors, smooth and tikhonov: exact and at once.",
    "gradient": "Smooth priors; a first look.",
    "fista": "Priors with a quick proximal map, such as wavelet, and any smooth data term.",
    "landweber": "Teaching, and stopping as the only regularisation.",
    "sirt": "Tomography from few angles, without a prior.",
    "admm": "The usual choice for tv and its like, where one linear system has a closed form.",
    "hqs": "Fewer steps than admm, at some loss of accuracy.",
    "pdhg": "Operators without a closed form, photons, many terms: no linear system is solved.",
    "condat-vu": "Sums with bounds that must hold exactly.",
    "lbfgs": "Smooth priors, to high accuracy in few steps.",
    "adam": "Codes of generative models and rough gradients. For convex problems others are "
    "faster.",
    "pgd": "Gradient-step denoisers, whose objective then never grows.",
    "pnp-hqs": "The usual choice for denoisers: eight to twenty-four steps.",
    "pnp-admm": "Plug-and-play behind narrow blurs and holes.",
    "pnp-fista": "Plug-and-play with noise whose data term has no proximal map.",
    "diffpir": "Plausible detail at strong losses; the result depends on the seed.",
    "red": "Denoisers as an explicit force; a choice for studies.",
}
