# What training changed: one reading of the stored natural generations by both models of a pair.


rule measure_shift:
    """Predictions of a model and its base on the same stored ids, and their states on prompts."""
    input:
        model="<results>/models/{model}/model.json",
        base=lambda w: f"<results>/models/{STUDY.compared[w.model]}/model.json",
        generations=lambda w: STUDY.natural_cells(STUDY.compared[w.model], w.model),
        benchmarks=STUDY.benchmark_tables,
    output:
        positions="<results>/shift/{model}/positions.parquet",
        states="<results>/shift/{model}/states.parquet",
        manifest="<results>/shift/{model}/manifest.json",
    log:
        "<logs>/measure_shift/{model}.log",
    benchmark:
        "<results>/runtimes/measure_shift/{model}.tsv"
    wildcard_constraints:
        model="|".join(STUDY.compared) or "$^",
    conda:
        STUDY.environment("training")
    threads: STUDY.threads("training")
    resources:
        gpu=min(1, STUDY.gpus("training")),
        mem_mb=lambda w, attempt: MEMORY.pair(w.model, STUDY.compared[w.model], attempt),
        runtime=240,
    params:
        settings=lambda w: SETTINGS.measure_shift(w.model),
        code=code_id("shift.measure_shift"),
    shell:
        python(
            "shift.measure_shift",
            inputs="model base generations benchmarks",
            outputs="positions states manifest",
            granted="gpus threads",
        )


rule summarise_shift:
    """Tables of what changed: KL, ranks, most shifted words, states, second thoughts."""
    input:
        positions=STUDY.of_compared("shift/{model}/positions.parquet"),
        states=STUDY.of_compared("shift/{model}/states.parquet"),
        manifests=STUDY.of_compared("shift/{model}/manifest.json"),
        generations=STUDY.natural_cells(*STUDY.in_pairs),
        grades=[f"<results>/grades/{model}.parquet" for model in STUDY.in_pairs],
    output:
        kl="<results>/shift/kl.csv",
        ranks="<results>/shift/ranks.csv",
        words="<results>/shift/words.csv",
        layers="<results>/shift/states.csv",
        markers="<results>/shift/markers.csv",
    log:
        "<logs>/summarise_shift.log",
    benchmark:
        "<results>/runtimes/summarise_shift.tsv"
    conda:
        "../envs/reporting.yaml"
    resources:
        mem_mb=8000,
        runtime=30,
    params:
        settings=SETTINGS.summarise_shift(),
        code=code_id("shift.summarise_shift"),
    shell:
        python(
            "shift.summarise_shift",
            inputs="positions states manifests generations grades",
            outputs="kl ranks words layers markers",
        )


rule plot_shift:
    """How far predictions, ranks, states and second thoughts moved, each beside its null line."""
    input:
        kl="<results>/shift/kl.csv",
        ranks="<results>/shift/ranks.csv",
        states="<results>/shift/states.csv",
        markers="<results>/shift/markers.csv",
    output:
        shift_kl=report(
            "<results>/plots/shift_kl.png",
            caption="../docs/captions/shift_kl.rst",
            category="Figures",
        ),
        shift_ranks=report(
            "<results>/plots/shift_ranks.png",
            caption="../docs/captions/shift_ranks.rst",
            category="Figures",
        ),
        shift_states=report(
            "<results>/plots/shift_states.png",
            caption="../docs/captions/shift_states.rst",
            category="Figures",
        ),
        shift_markers=report(
            "<results>/plots/shift_markers.png",
            caption="../docs/captions/shift_markers.rst",
            category="Figures",
        ),
        vector=expand("<results>/plots/{plot}.{kind}", plot=STUDY.shift_plots, kind=["svg", "pdf"]),
    log:
        "<logs>/plot_shift.log",
    benchmark:
        "<results>/runtimes/plot_shift.tsv"
    conda:
        "../envs/reporting.yaml"
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        settings=SETTINGS.plot_shift(),
        code=code_id("reporting.plot_shift"),
    shell:
        python(
            "reporting.plot_shift",
            inputs="kl ranks states markers",
            outputs="shift_kl shift_ranks shift_states shift_markers",
        )
