#!/usr/bin/env bash
# A search on 8 nodes of a Slurm cluster, four GPUs each:
#
#     sbatch tuning/cluster/slurm.sh --space search_spaces/paper_gpu.yaml --storage /shared/runs --name long
#
# All that follows the script's name goes to tune.py. If the job ends before the search does (time limit,
# preemption), the same command and --resume goes on. Run it in the repository, which lies, like .venv, where
# every node sees it.
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

# Whoever reaches a Ray cluster without a token can run code on it. One token a job, readable by its user alone.
export RAY_AUTH_MODE=token
export RAY_AUTH_TOKEN_PATH="$PWD/.ray-token-$SLURM_JOB_ID"
(umask 077 && python -c "import secrets; print(secrets.token_hex(32), end='')" >"$RAY_AUTH_TOKEN_PATH")
trap 'rm -f "$RAY_AUTH_TOKEN_PATH"' EXIT

# This script runs on the first node, which becomes the head. Set HEAD_IP if its first address is not the one
# that the other nodes reach it at. At its end Ray stops all of Ray on a node, hence --exclusive.
address="${HEAD_IP:-$(hostname -I | cut -d ' ' -f 1)}:$((20000 + SLURM_JOB_ID % 10000))"

srun --nodes="$SLURM_JOB_NUM_NODES" --ntasks="$SLURM_JOB_NUM_NODES" \
    ray symmetric-run --address "$address" --min-nodes "$SLURM_JOB_NUM_NODES" \
    --disable-usage-stats -- \
    python tune.py --address "$address" "$@"
