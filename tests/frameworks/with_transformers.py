"""Transformers' Trainer: see `task`."""

from typing import Any

from transformers import Trainer, TrainerCallback, TrainingArguments

from tests.frameworks.task import BATCH, EPOCHS, Model, note, run, stream


def phase(root: str, log: str, folder: str, stop: str) -> None:
    data = stream(root, {"x": "latents", "y": "label", "key": "key"})

    class StreamTrainer(Trainer):
        def get_train_dataloader(self) -> Any:
            return super().get_train_dataloader() if stop == "hand" else data.loader(num_workers=1)

        def compute_loss(self, model: Any, inputs: Any, *others: Any, **options: Any) -> Any:
            note(log, self.args.process_index, inputs.pop("key"))
            return super().compute_loss(model, inputs, *others, **options)

    class Stop(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_training_stop = str(state.global_step) == stop

    arguments = TrainingArguments(
        folder,
        per_device_train_batch_size=BATCH,
        num_train_epochs=EPOCHS,
        save_strategy="steps",
        save_steps=11,
        logging_strategy="no",
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
    )
    trainer = StreamTrainer(Model(), arguments, train_dataset=data, callbacks=[Stop()])
    trainer.train(resume_from_checkpoint=stop == "resume")


if __name__ == "__main__":
    run(phase)
