"""A test-time-scaling study, from a pool of reasoning traces to a report.

The story is told by the rule files, in the order of the study. `snakemake report --cores 8` builds
everything; config.yaml says what the study is.
"""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.25")
sys.path.insert(0, str(workflow.basedir))

from workflow_scripts.common.code_id import code_id
from workflow_scripts.common.errors import UserError
from workflow_scripts.file_content import content_of
from workflow_scripts.host_memory import HostMemory
from workflow_scripts.interpreter import use_own_python
from workflow_scripts.rule_settings import RuleSettings
from workflow_scripts.study import Study
from workflow_scripts.study_folder import claim_results, refuse_other_study


configfile: "config.yaml"


report: "docs/captions/study.rst"


use_own_python()

try:
    STUDY = Study(config, Path(workflow.basedir) / "schemas/config.schema.yaml")
    refuse_other_study(STUDY)
    SETTINGS = RuleSettings(STUDY)
    MEMORY = HostMemory(STUDY)
except UserError as error:
    raise WorkflowError(str(error)) from None


pathvars:
    results=STUDY.results,
    logs=f"{STUDY.results}/logs",


onstart:
    try:
        claim_results(STUDY)
    except UserError as error:
        sys.exit(f"error: {error}")


wildcard_constraints:
    model="|".join(STUDY.models),
    dataset="|".join(STUDY.decontamination_sets),
    selector=r"[a-z0-9-]+",


include: "rules/demo.smk"
include: "rules/curation.smk"
include: "rules/relabel.smk"
include: "rules/training.smk"
include: "rules/inference.smk"
include: "rules/grading.smk"
include: "rules/analysis.smk"
include: "rules/reporting.smk"


rule report:
    """The whole study: every table, plot, generation and the report."""
    default_target: True
    input:
        "<results>/report/report.md",
        "<results>/report/report.html",
        "<results>/report/samples.html",
        "<results>/report/summary.txt",
        "<results>/analysis/points.csv",
        "<results>/analysis/metrics.csv",
        "<results>/analysis/pairs.csv",
        STUDY.if_trained("<results>/curation/curation.md"),


rule estimate:
    """What training and decoding will take, before they run; decoding is measured by a probe."""
    input:
        STUDY.if_trained("<results>/estimates/training.txt"),
        "<results>/estimates/all.txt",


rule estimate_training:
    """The part of `estimate` that needs no GPU and no weights."""
    input:
        STUDY.if_trained("<results>/estimates/training.txt"),
