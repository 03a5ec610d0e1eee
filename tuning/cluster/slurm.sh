#!/usr/bin/env bash
# A search on 8 nodes of a Slurm cluster, four GPUs each:
#
#     sbatch tuning/cluster/slurm.sh --space search_spaces/paper_gpu.yaml --storage /shared/runs --name long \
#         --tracking-uri http://mlflow.example.com:5000
#
# All arguments go to tune.py. If the job ends before the search (time limit, preemption), submit the same
# command with --resume. Submit it from the repository, which every node must see, with its .venv.
#SBATCH --job-name=dcodr
#SBATCH --nodes=8
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --gpus-per-node=4
#SBATCH --time=24:00:00
#SBATCH --output=slurm-%j.out
set -euo pipefail

cd "${SLURM_SUBMIT_DIR:?run me by sbatch}"
source .venv/bin/activate

# Anybody who reaches a Ray cluster without a token can run code on it. So each job has a token that only its
# user can read.
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN_PATH="$PWD/.ray-token-$SLURM_JOB_ID"
(umask 077 && python -c "import secrets; print(secrets.token_hex(32), end='')" >"$RAY_AUTH_TOKEN_PATH")
trap 'rm -f "$RAY_AUTH_TOKEN_PATH"' EXIT

# This script runs on the first node, which becomes the head. Set HEAD_IP if the other nodes reach it at another
# address than its first one. At its end Ray stops every Ray process on a node, hence --exclusive.
address="${HEAD_IP:-$(hostname -I | cut -d ' ' -f 1)}:$((20000 + SLURM_JOB_ID % 10000))"

srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" \
    ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --disable-usage-stats -- \
    python tune.py --address "$address" "$@"
