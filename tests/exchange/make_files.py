"""Make the files of other harnesses that the tests read, with the harnesses themselves.

    python -m venv TOOL && TOOL/bin/pip install lm_eval==0.4.13    # inspect_ai==0.3.285, lighteval
    TOOL/bin/python tests/exchange/make_files.py lm-eval

An inspect_ai of before it knew reasoning (0.3.60, with textual<1) makes inspect/older.eval.

Each harness asks the questions of questions.json twice; what "the model" answers stands there, too.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = HERE / "files"
QUESTIONS = json.loads((HERE / "questions.json").read_text())
ASK = "Put the final answer within \\boxed{}."
LETTERS = "ABCD"


def shown(row: dict) -> str:
    """A question with its options, as the model is shown it."""
    options = [
        f"{letter}) {text}" for letter, text in zip(LETTERS, row.get("options", ()), strict=False)
    ]
    return "\n".join([row["problem"], *options, "", ASK])


def answer(prompt: str, draw: int) -> str:
    """What the model answers in one draw."""
    rows = [row for rows in QUESTIONS.values() for row in rows if row["problem"] in prompt]
    return rows[0]["responses"][draw]


def lm_eval(folder: Path) -> None:
    """Two tasks with two filters, one response a question, and the math task with two."""
    import lm_eval
    from lm_eval.api.model import LM
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    class Canned(LM):
        """A model that answers from the file."""

        def __init__(self) -> None:
            super().__init__()
            self.asked: dict[str, int] = {}

        def generate_until(self, requests, disable_tqdm=False):
            found = []
            for request in requests:
                prompt = request.args[0]
                found.append(answer(prompt, self.asked.get(prompt, 0)))
                self.asked[prompt] = self.asked.get(prompt, 0) + 1
            return found

        def loglikelihood(self, requests, disable_tqdm=False):
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    task = """
task: tiny_{name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
repeats: {repeats}
doc_to_text: "{{{{problem}}}}{options}\\n\\nPut the final answer within \\\\boxed{{}}."
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: [], max_gen_toks: 64, do_sample: {sample}, temperature: {heat}}}
filter_list:
  - name: boxed
    filter: [{{function: regex, regex_pattern: 'boxed\\{{(.*)\\}}'}}, {{function: take_first}}]
  - name: last-word
    filter: [{{function: regex, regex_pattern: '(\\S+)$'}}, {{function: take_first}}]
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1.0}}
"""
    for name, rows in QUESTIONS.items():
        data = folder / f"{name}.jsonl"
        kept = [{k: v for k, v in row.items() if k != "responses"} for row in rows]
        data.write_text("".join(json.dumps(row) + "\n" for row in kept))
        options = "{% for o in options %}\\n{{'ABCD'[loop.index0]}}) {{o}}{% endfor %}"
        (folder / f"{name}.yaml").write_text(
            task.format(
                name=name,
                data=data,
                repeats=2 if name == "math" else 1,
                options=options if name == "choice" else "",
                sample="true" if name == "math" else "false",
                heat=0.7 if name == "math" else 0.0,
            )
        )
    out = folder / "out"
    tracker = EvaluationTracker(output_path=str(out))
    manager = TaskManager(include_path=str(folder))
    done = lm_eval.simple_evaluate(
        model=Canned(),
        tasks=["tiny_math", "tiny_choice"],
        task_manager=manager,
        evaluation_tracker=tracker,
        log_samples=True,
        bootstrap_iters=0,
    )
    samples = done.pop("samples")
    tracker.general_config_tracker.model_name = "tiny/canned"
    tracker.general_config_tracker.model_name_sanitized = "tiny__canned"
    tracker.save_results_aggregated(results=done, samples=samples)
    for name in done["configs"]:
        tracker.save_results_samples(task_name=name, samples=samples[name])
    _kept(out, OUT / "lm_eval")


def inspect(folder: Path) -> None:
    """Two tasks, the math one in two epochs, as .eval and as .json."""
    from inspect_ai import Task, eval
    from inspect_ai import model as models
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ContentText, ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import choice, match
    from inspect_ai.solver import generate, multiple_choice

    older = not hasattr(models, "ContentReasoning")

    def told(name: str, draws: int):
        for draw in range(draws):
            for row in QUESTIONS[name]:
                text = row["responses"][draw]
                thought, end, said = text.partition("</think>")
                if name == "choice":  # the form that this harness asks for
                    said = said.replace("\\boxed{", "ANSWER: ").replace("}", "")
                output = ModelOutput.from_content("mockllm/model", text)
                if end and not older:
                    reason = models.ContentReasoning(
                        reasoning=thought.removeprefix("<think>").strip()
                    )
                    output.choices[0].message.content = [reason, ContentText(text=said.strip())]
                    output.completion = said.strip()
                elif not end:
                    output.choices[0].stop_reason = "max_tokens"
                thought_of = {} if older else {"reasoning_tokens": 12}
                output.usage = ModelUsage(
                    input_tokens=30, output_tokens=20, total_tokens=50, **thought_of
                )
                yield output

    for name, draws in (("math", 2), ("choice", 1)):
        rows = QUESTIONS[name]
        samples = [
            Sample(
                input=row["problem"] + ("" if name == "choice" else f"\n\n{ASK}"),
                target=row["answer"],
                id=row["id"],
                choices=row.get("options"),
                metadata={"problem": row["problem"]},
            )
            for row in rows
        ]
        solver = multiple_choice() if name == "choice" else generate()
        task = Task(
            dataset=samples,
            solver=solver,
            scorer=choice() if name == "choice" else match(),
            epochs=draws,
            name=f"tiny_{name}",
        )
        for kind in ("eval", "json"):
            model = get_model(
                "mockllm/model", custom_outputs=list(told(name, draws)), memoize=False
            )
            eval(
                task,
                model=model,
                log_dir=str(folder / "out" / kind),
                log_format=kind,
                display="none",
                max_connections=1,
                max_samples=1,
            )
    for kind in ("eval", "json"):
        for file in (folder / "out" / kind).iterdir():
            name = "math" if "math" in file.name else "choice"
            (OUT / "inspect").mkdir(parents=True, exist_ok=True)
            if older and (name, kind) == ("math", "eval"):
                shutil.copy(file, OUT / "inspect/older.eval")
            elif not older and (name, kind) != ("math", "json"):
                shutil.copy(file, OUT / "inspect" / f"{name}.{kind}")


def lighteval(folder: Path) -> None:
    """Details of two tasks as its tracker writes them, two responses a question in math."""
    from lighteval.logging.evaluation_tracker import EvaluationTracker
    from lighteval.models.dummy.dummy_model import DummyModelConfig
    from lighteval.models.model_output import ModelResponse
    from lighteval.tasks.requests import Doc, SamplingMethod

    tracker = EvaluationTracker(output_dir=str(folder / "out"), save_details=True)
    config = DummyModelConfig(model_name="tiny/canned", seed=0)
    tracker.general_config_logger.log_model_info(model_config=config)
    for name, draws in (("math", 2), ("choice", 1)):
        for place, row in enumerate(QUESTIONS[name]):
            options = row.get("options")
            doc = Doc(
                query=shown(row),
                choices=list(LETTERS) if options else [row["answer"]],
                gold_index=LETTERS.index(row["answer"]) if options else 0,
                specific={"problem": row["problem"], "options": options or []},
                id=str(place),
                task_name=f"tiny_{name}|0",
                num_samples=draws,
                sampling_methods=[SamplingMethod.GENERATIVE],
            )
            texts = row["responses"][:draws]
            response = ModelResponse(
                input=shown(row),
                input_tokens=list(range(30)),
                text=texts,
                output_tokens=[list(range(len(text.split()))) for text in texts],
                text_post_processed=[text.rpartition("</think>")[2] for text in texts],
            )
            right = [f"\\boxed{{{row['answer']}}}" in text for text in texts]
            metric = f"pass@k:k=1&n={draws}" if draws > 1 else "extractive_match"
            tracker.details_logger.log(
                f"tiny_{name}|0", doc, response, {metric: sum(right) / draws}
            )
    tracker.save()
    _kept(folder / "out", OUT / "lighteval")


def _kept(made: Path, kept: Path) -> None:
    shutil.rmtree(kept, ignore_errors=True)
    for file in sorted(made.rglob("*")):
        if file.is_file() and file.suffix in (".json", ".jsonl", ".parquet"):
            target = kept / file.name.replace("|", "-")  # no name everywhere
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        {"lm-eval": lm_eval, "inspect": inspect, "lighteval": lighteval}[sys.argv[1]](Path(name))
