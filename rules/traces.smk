# Traces that are made here: teachers answer questions of the pool, our grader judges them, and what is
# chosen becomes a pool of its own, which the rules of curation filter like any other. Used where the
# config has a section `traces`.


rule ask_traces:
    """The questions that teachers answer, as a benchmark."""
    input:
        pool=STUDY.pool_file,
        rows=STUDY.asked_rows,
    output:
        benchmark="<results>/traces/asked.parquet",
    log:
        "<logs>/ask_traces.log",
    benchmark:
        "<results>/runtimes/ask_traces.tsv"
    conda:
        "../envs/grading.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=SETTINGS.ask_traces(),
        code=code_id("curation.ask_traces"),
    shell:
        python("curation.ask_traces", inputs="pool rows", outputs="benchmark")


# A teacher answers, through the engine and the store of any model.
use rule generate as answer_traces with:
    input:
        model=lambda w: f"<results>/models/{STUDY.writer(w.teacher)}/model.json",
        benchmarks="<results>/traces/asked.parquet",
    output:
        manifest="<results>/traces/teachers/{teacher}/manifest.json",
    log:
        "<logs>/answer_traces/{teacher}.log",
    benchmark:
        "<results>/runtimes/answer_traces/{teacher}.tsv"
    wildcard_constraints:
        teacher=STUDY.whole_teachers,
    resources:
        gpu=lambda w: STUDY.writer_gpus(w.teacher),
        mem_mb=lambda w, attempt: MEMORY.engine(STUDY.writer(w.teacher), attempt),
        runtime=2880,
    params:
        settings=lambda w: SETTINGS.answer_traces(w.teacher),


# A shard of a teacher's answers.
use rule generate as answer_traces_shard with:
    input:
        model=lambda w: f"<results>/models/{STUDY.writer(w.teacher)}/model.json",
        benchmarks="<results>/traces/asked.parquet",
    output:
        manifest="<results>/traces/teachers/{teacher}/shards/{shard}.json",
    log:
        "<logs>/answer_traces_shard/{teacher}/{shard}.log",
    benchmark:
        "<results>/runtimes/answer_traces_shard/{teacher}/{shard}.tsv"
    wildcard_constraints:
        teacher=STUDY.split_teachers,
        shard="|".join(STUDY.shard_names),
    resources:
        gpu=lambda w: STUDY.writer_gpus(w.teacher),
        mem_mb=lambda w, attempt: MEMORY.engine(STUDY.writer(w.teacher), attempt),
        runtime=2880,
    params:
        settings=lambda w: SETTINGS.answer_traces(w.teacher, shard=w.shard),


# One store and one manifest of a teacher's shards.
use rule merge_shards as merge_traces_shards with:
    input:
        model=lambda w: f"<results>/models/{STUDY.writer(w.teacher)}/model.json",
        benchmarks="<results>/traces/asked.parquet",
        shards=expand(
            "<results>/traces/teachers/{{teacher}}/shards/{shard}.json", shard=STUDY.shard_names
        ),
    output:
        manifest="<results>/traces/teachers/{teacher}/manifest.json",
    log:
        "<logs>/merge_traces_shards/{teacher}.log",
    benchmark:
        "<results>/runtimes/merge_traces_shards/{teacher}.tsv"
    wildcard_constraints:
        teacher=STUDY.split_teachers,
    resources:
        mem_mb=16000,
        runtime=240,
    params:
        settings=lambda w: SETTINGS.answer_traces(w.teacher),


# A teacher's draws.
use rule cut as cut_traces with:
    input:
        manifest="<results>/traces/teachers/{teacher}/manifest.json",
        model=lambda w: f"<results>/models/{STUDY.writer(w.teacher)}/model.json",
        benchmark="<results>/traces/asked.parquet",
    output:
        cells="<results>/traces/teachers/{teacher}/pool/{method}/infinite.parquet",
    log:
        "<logs>/cut_traces/{teacher}-{method}.log",
    benchmark:
        "<results>/runtimes/cut_traces/{teacher}-{method}.tsv"
    wildcard_constraints:
        teacher=STUDY.every_teacher,
        method="natural|native",
    resources:
        mem_mb=16000,
        runtime=60,
    params:
        settings=lambda w: SETTINGS.cut_traces(w.teacher),


# Verdicts on a teacher's draws.
use rule grade as grade_traces with:
    input:
        generations=lambda w: STUDY.draws_of(w.teacher),
        benchmarks="<results>/traces/asked.parquet",
        imported=[],
    output:
        grades="<results>/traces/teachers/{teacher}/grades.parquet",
    log:
        "<logs>/grade_traces/{teacher}.log",
    benchmark:
        "<results>/runtimes/grade_traces/{teacher}.tsv"
    wildcard_constraints:
        teacher=STUDY.every_teacher,
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        generations=lambda w, input: input.generations,


rule make_traces:
    """A pool of traces in the form of the 59K pool: chosen draws with teacher, verdict and tokens."""
    input:
        pool=STUDY.pool_file,
        benchmark="<results>/traces/asked.parquet",
        generations=lambda w: [
            STUDY.draws_of(teacher) for teacher in STUDY.trace_pools[w.pool]["teachers"]
        ],
        grades=lambda w: [
            f"<results>/traces/teachers/{teacher}/grades.parquet"
            for teacher in STUDY.trace_pools[w.pool]["teachers"]
        ],
    output:
        made="<results>/traces/pools/{pool}/pool.parquet",
        traces="<results>/traces/pools/{pool}/traces.parquet",
        counts="<results>/traces/pools/{pool}/traces.json",
    log:
        "<logs>/make_traces/{pool}.log",
    benchmark:
        "<results>/runtimes/make_traces/{pool}.tsv"
    wildcard_constraints:
        pool=STUDY.every_trace_pool,
    conda:
        "../envs/curation.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        settings=lambda w: SETTINGS.make_traces(w.pool),
        code=code_id("curation.make_traces"),
    shell:
        python(
            "curation.make_traces",
            inputs="pool benchmark generations grades",
            outputs="made traces counts",
        )


# Curation of a pool of traces, by the rules of the study's pool.
use rule filter_quality as filter_traces_quality with:
    input:
        pool="<results>/traces/pools/{pool}/pool.parquet",
    output:
        quality="<results>/traces/pools/{pool}/quality.parquet",
    log:
        "<logs>/filter_traces_quality/{pool}.log",
    benchmark:
        "<results>/runtimes/filter_traces_quality/{pool}.tsv"
    params:
        settings=lambda w: SETTINGS.trace_quality(w.pool),


use rule decontaminate as decontaminate_traces with:
    input:
        pool="<results>/traces/pools/{pool}/pool.parquet",
        quality="<results>/traces/pools/{pool}/quality.parquet",
        benchmarks=STUDY.decontamination_tables,
    output:
        decontamination="<results>/traces/pools/{pool}/decontamination.parquet",
        contamination="<results>/traces/pools/{pool}/contamination.json",
    log:
        "<logs>/decontaminate_traces/{pool}.log",
    benchmark:
        "<results>/runtimes/decontaminate_traces/{pool}.tsv"
    params:
        settings=lambda w: SETTINGS.trace_decontamination(w.pool),


use rule filter_difficulty as filter_traces_difficulty with:
    input:
        pool="<results>/traces/pools/{pool}/pool.parquet",
        decontamination="<results>/traces/pools/{pool}/decontamination.parquet",
    output:
        difficulty="<results>/traces/pools/{pool}/difficulty.parquet",
    log:
        "<logs>/filter_traces_difficulty/{pool}.log",
    benchmark:
        "<results>/runtimes/filter_traces_difficulty/{pool}.tsv"


use rule count_tokens as count_traces_tokens with:
    input:
        pool="<results>/traces/pools/{pool}/pool.parquet",
        decontamination="<results>/traces/pools/{pool}/decontamination.parquet",
        tokenizer=by_content(STUDY.tokenizer_files, STUDY.tokenizer_is_known),
    output:
        lengths="<results>/traces/pools/{pool}/lengths.parquet",
        counts="<results>/traces/pools/{pool}/lengths.json",
    log:
        "<logs>/count_traces_tokens/{pool}.log",
    benchmark:
        "<results>/runtimes/count_traces_tokens/{pool}.tsv"


use rule summarise_curation as summarise_traces with:
    input:
        pool="<results>/traces/pools/{pool}/pool.parquet",
        quality="<results>/traces/pools/{pool}/quality.parquet",
        decontamination="<results>/traces/pools/{pool}/decontamination.parquet",
        difficulty="<results>/traces/pools/{pool}/difficulty.parquet",
        contamination="<results>/traces/pools/{pool}/contamination.json",
        sets=lambda w: STUDY.set_files(w.pool),
        benchmarks=STUDY.benchmark_tables,
    output:
        funnel="<results>/traces/pools/{pool}/funnel.csv",
        domains="<results>/traces/pools/{pool}/domains.csv",
        sources="<results>/traces/pools/{pool}/sources.csv",
        dropped="<results>/traces/pools/{pool}/dropped.parquet",
        report="<results>/traces/pools/{pool}/curation.md",
        touched="<results>/traces/pools/{pool}/touched.csv",
    log:
        "<logs>/summarise_traces/{pool}.log",
    benchmark:
        "<results>/runtimes/summarise_traces/{pool}.tsv"
    params:
        settings=lambda w: SETTINGS.summarise_traces(w.pool),
