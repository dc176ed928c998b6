"""Learning-rate schedules by family; `optim.lr_scheduler` has them all."""
