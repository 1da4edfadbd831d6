"""The text that explains a board to its reader."""

EXPLANATION = """\
Each model was fine-tuned on each task with each technique. **Gain** is test accuracy after minus before on that task, **accuracy** is
the test accuracy after fine-tuning, **forgetting** is the accuracy lost on the other tasks. A scorer reads the embeddings of the train split only
and returns one number per model and task; a table reports how well that number correlates with the measurements.

**Over tasks**: the correlation over the tasks of one model, averaged over the models (does the score predict *where* fine-tuning helps?). **Over
models**: over the models of one task, averaged over the tasks (does it predict *which model* is best?). **Pooled**: over all (model, task) pairs.
**r** is Pearson's correlation, **ρ** Spearman's, **τb** Kendall's τ-b, **τw** scipy's weighted Kendall (`rank=True`). Scores whose authors declare that
less predicts more are multiplied by −1 first. Brackets contain 95 % intervals: the jackknife that leaves out one task at a time (over tasks), one
model (over models) or both (pooled), on Fisher's scale with Student's t; in simulation it has the nominal coverage, which bootstraps do not have
(`leaderboard/coverage.csv`). A value without an interval is not shown (–). **p** is that of r over tasks, from permuting whole tasks, adjusted by
Holm over the scorers; where cells are missing, it is computed on the complete part of the table. The **noise ceiling** is the expected correlation of a
perfect score, given the differences between seeds.

Gain is after − before, so every score that measures *before* correlates with it by construction. `headroom` (one minus zero-shot accuracy) and
`static_rank` (the model's mean rank on the other tasks) are therefore in the tables as baselines (over the tasks of one model `static_rank` is
negative by construction, since each task is left out of its own mean: read it over models). **Lead over headroom** is the difference of the first
column to that of `headroom`, with an asterisk where its interval excludes zero. **r given before** is the partial correlation over tasks of score and gain given
the accuracy before, which is the same for gain and for the accuracy after; its asterisk marks an *informative* score: the p value of that interval,
adjusted by Holm, is below .05, and the interval of the partial correlation of ranks lies on the same side of 0 (a score that restates headroom is never informative; one that
measures the accuracy before on other samples may be informative for that reason alone). **Regret** is the accuracy lost by choosing for each task
the model with the highest score, **rel@1** the accuracy of that model as a share of the best. **Covers** is the share of (model, task) pairs with a
score; **ms** is the mean time of one score, without the statistics that scores share. The pool of models itself: its **dispersion** is 0 where the
models have the same order on every task (1 − Kendall's W), its **headroom** is the accuracy that choosing a model task by task adds to the best fixed
choice. A pool with little of either cannot distinguish scores."""
