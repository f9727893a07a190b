"""s1flow: a test-time-scaling study as a Snakemake workflow. One folder per stage of the study."""
