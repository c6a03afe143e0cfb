"""The CUDA path: the CPU's losses within rounding, the same bytes twice, a whole study. Run by `make test-gpu`."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import torch

from mgvae.cohort.rows import Rows
from mgvae.config.sections import Privacy, Training
from mgvae.generator.synthesis import device_of, encoded, new_model, pretrain_majority, synthesise, synthetic_cases
from mgvae.model.encoding import fit_encoding
from mgvae.model.exemplar_mixture import Exemplars
from mgvae.model.objective import elbo_with_own_means
from mgvae.model.prior import log_mixture
from mgvae.sampler.oversampler import MGVAEOverSampler
from mgvae.training.cuda_graph import EAGER, ReplayedStep
from mgvae.training.inputs import divide_by_event
from mgvae.training.loops import pretrain
from mgvae.training.ranks import joined_ranks
from mgvae.training.tuning import finetune_cases
from tests.flows.flow_tools import run_study
from tests.flows.simulated_study import table, write_study
from tests.mgvae.small_cohort import COLUMNS, cohort, quick

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is visible"),
]
BRIEF = {"pretrain_epochs": 6, "finetune_epochs": 4, "ewc_lambda": 1.0, "plausibility": "none"}

SHORT = {"evaluation__arms": ["none", "mgvae"], "training__pretrain_epochs": 2, "training__finetune_epochs": 2}


def settings(device, **changes):
    return quick(**{**BRIEF, "device": device, **changes})


def stages(device, **changes):
    """Return the histories of both trainings, their models and the synthetic cases of a small cohort."""
    how = settings(device, **changes)
    features, event, group = cohort(800, 40)
    group = np.arange(len(group)) if changes.get("exemplars") else group  # without families steps are replayed
    encoding = fit_encoding(features, COLUMNS)
    inputs = divide_by_event(encoding, encoded(encoding, features, how), event, group)
    trained = pretrain_majority(encoding, inputs.majority, inputs.majority_group, how, seed=1)
    tuned = finetune_cases(trained.model, trained.anchor, inputs, how, seed=2)
    return trained, tuned, synthesise(inputs, tuned.model, how, n=100, seed=3)


@pytest.mark.parametrize("changes", [{}, {"exemplars": 300}, {"exemplars": "all"}, {"ewc_lambda": "auto"}], ids=str)
def test_training_on_cuda_has_the_cpus_losses(changes):
    (one, tuned, made), (other, other_tuned, other_made) = stages("cpu", **changes), stages("cuda", **changes)
    for ours, theirs in ((one.history, other.history), (tuned.history, other_tuned.history)):
        assert len(ours.epochs) == len(theirs.epochs)
        for here, there in zip(ours.epochs, theirs.epochs, strict=True):
            assert there.train_elbo == pytest.approx(here.train_elbo, abs=0.02)
            assert there.heldout_elbo == pytest.approx(here.heldout_elbo, abs=0.02)
    for name, value in one.anchor.fisher.items():
        torch.testing.assert_close(other.anchor.fisher[name].cpu(), value, rtol=0.2, atol=0.2)
    assert tuned.ewc_lambda == other_tuned.ewc_lambda
    assert list(made.features.dtypes) == list(other_made.features.dtypes)
    assert len(other_made.features) == 100


@pytest.mark.parametrize("exemplars", [300, "all"])
def test_the_same_seed_gives_the_same_bytes(exemplars):
    (one, tuned, made), (other, other_tuned, other_made) = (stages("cuda", exemplars=exemplars) for _ in range(2))
    for first, second in ((one.model, other.model), (tuned.model, other_tuned.model)):
        assert all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())
    pd.testing.assert_frame_equal(made.features, other_made.features)


@pytest.mark.parametrize("own", ["position", "mask", None])
def test_the_mixture_and_its_gradients(own):
    draws = torch.Generator().manual_seed(0)
    z, means = torch.randn(50, 5, generator=draws), torch.randn(3000, 5, generator=draws)
    at = torch.arange(50)
    left_out = {"position": at, "mask": at[:, None] == torch.arange(3000)[None], None: None}[own]
    found = []
    for device in ("cpu", "cuda"):
        here = z.clone().to(device).requires_grad_()
        spread = torch.tensor(-0.5, device=device, requires_grad=True)
        own_here = None if left_out is None else left_out.to(device)
        value = log_mixture(here, means.to(device), spread, own=own_here)
        value.sum().backward()
        found.append((value.detach().cpu(), here.grad.cpu(), spread.grad.cpu()))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_replayed_steps_are_the_steps(monkeypatch):
    how = settings("cuda", exemplars=200, batch_size=64, warmup_fraction=0.5)
    features, _, _ = cohort(900, 30)
    encoding = fit_encoding(features, COLUMNS)
    rows = encoded(encoding, features, how)
    start, replays = new_model(encoding, rows, how, seed=0), []
    replay = torch.cuda.CUDAGraph.replay
    monkeypatch.setattr(torch.cuda.CUDAGraph, "replay", lambda graph: replays.append(1) or replay(graph))
    replayed, run = copy.deepcopy(start), copy.deepcopy(start)
    one = pretrain(replayed, rows[:780], rows[780:], how, seed=1)
    steps = 780 // 64 * len(one.epochs)
    assert len(replays) == steps - EAGER
    monkeypatch.setattr("mgvae.training.loops.ReplayedStep", lambda step: step)
    other = pretrain(run, rows[:780], rows[780:], how, seed=1)
    assert [epoch.train_elbo for epoch in one.epochs] == pytest.approx([epoch.train_elbo for epoch in other.epochs], abs=1e-3)
    for name, value in replayed.state_dict().items():
        torch.testing.assert_close(value, run.state_dict()[name], rtol=1e-3, atol=1e-3)


def test_a_group_of_one_card_has_the_losses_of_the_card_alone(tmp_path):
    how = settings("cuda", exemplars=200, batch_size=64)
    features, _, _ = cohort(900, 30)
    encoding = fit_encoding(features, COLUMNS)
    rows = encoded(encoding, features, how)
    alone, shared = (new_model(encoding, rows, how, seed=0) for _ in range(2))
    one = pretrain(alone, rows[:780], rows[780:], how, seed=1)
    with joined_ranks(0, 1, tmp_path / "meeting", torch.device("cuda")) as ranks:
        other = pretrain(shared, rows[:780], rows[780:], how, seed=1, ranks=ranks)
    assert [epoch.train_elbo for epoch in one.epochs] == pytest.approx([epoch.train_elbo for epoch in other.epochs], abs=1e-3)
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(shared.state_dict()[name], value, rtol=1e-3, atol=1e-3)


def test_a_step_of_another_size_is_run():
    seen = []
    step = ReplayedStep(lambda values: seen.append(len(values)) or values.sum())
    for size in (4, 4, 4, 4, 4, 3, 4):
        assert float(step(torch.full((size,), 2.0, device="cuda"))) == 2 * size
    assert seen == [4, 4, 4, 4, 3]  # three eager, one recorded, one of another size


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_no_step_waits_for_the_gpu():
    how = settings("cuda", exemplars=200)
    features, _, _ = cohort(400, 30)
    encoding = fit_encoding(features, COLUMNS)
    rows = encoded(encoding, features, how)
    model = new_model(encoding, rows, how, seed=0)
    cache = Exemplars(model.exemplar_means(rows[:200]), spare=True)
    at = torch.arange(150, 250, device="cuda")
    position = torch.where(at < 200, at, -1)
    noise = torch.randn(100, model.latent_dim, device="cuda")
    try:
        torch.cuda.set_sync_debug_mode("error")
        elbo_with_own_means(model, rows[at], cache, position, noise, own=position).total.mean().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_private_generator():
    features, event, group = cohort(800, 60)
    how = settings("cuda", privacy=Privacy(epsilon=5.0, delta=1e-4, noise_seed=1))
    made = synthetic_cases(Rows(features, event, group), COLUMNS, how, n=50, seed=3)
    assert len(made.features) == 50


@pytest.mark.parametrize("variant", ["vae", "mgvae_no_pretraining", "mgvae_no_ewc"])
def test_ablations(variant):
    features, event, group = cohort(500, 40)
    made = synthetic_cases(Rows(features, event, group), COLUMNS, settings("cuda"), n=50, seed=3, variant=variant)
    assert len(made.features) == 50


def test_the_sampler_and_its_copy_for_the_cpu(tmp_path):
    features, event, _ = cohort(600, 40)
    sampler = MGVAEOverSampler(device="cuda", epochs=2, finetune_epochs=2, random_state=0)
    rows, label = sampler.fit_resample(features, event.astype(int))
    assert label.sum() == (~event).sum()
    assert len(rows) == len(label)
    sampler.save(tmp_path / "sampler")
    majority = features[~event]
    (more, parents), (again, _) = (
        one.sample(majority, 20, random_state=1) for one in (sampler, MGVAEOverSampler.load(tmp_path / "sampler"))
    )
    pd.testing.assert_frame_equal(more, again)
    assert len(parents) == 20


def test_a_whole_study(tmp_path):
    path = write_study(tmp_path, table(600, 40), training__device="cuda", **SHORT)
    result, report = run_study(path, tmp_path / "runs")
    assert report["training"]["device"] == "cuda"
    assert result["status"] == report["status"]
    assert device_of(Training(device="auto")).type == "cuda"
