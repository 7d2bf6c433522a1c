/*
 * The node itself, if it runs: asked at the address that its configuration names.
 */
import type { Env } from '../../core/env.ts'
import type { NetworkInfo, NodeInfo, NodeStatus } from '../../rpc/client/index.ts'
import type { Genesis } from '../../types/genesis.ts'
import { namespaceBytes } from '../../types/namespace.ts'
import { equalBytes } from '../../util/bytes.ts'
import { isEvolveError } from '../../util/errors.ts'
import { rpcUrl } from '../node-client.ts'
import { formatSpan, phaseLabel } from '../progress.ts'
import type { HomeFound } from './config.ts'
import { type Finding, findingsOf } from './finding.ts'

/** What a running node says of itself. */
export interface RunningNode {
  readonly info: NodeInfo
  readonly status: NodeStatus
  readonly network: NetworkInfo
}

/** Whether the node of this home runs, and what is to say of it. */
export interface RunningFound {
  readonly node: RunningNode | undefined
  /** Something answers at the address of the RPC, if not this node. */
  readonly taken: boolean
  readonly findings: readonly Finding[]
}

const { ok, warning, problem } = findingsOf('node')

const PATIENCE = 3_000
/** Blocks behind, and seconds without a block, that are worth a word. */
const FAR_BEHIND = 100
const LONG_SILENCE = 60

/** Asks the node of a home how it stands. With `peerId` it must be the one with this id. */
export async function checkRunning(
  { env }: { readonly env: Env },
  { config }: HomeFound,
  { genesis, peerId }: { readonly genesis: Genesis | undefined; readonly peerId: string | undefined },
): Promise<RunningFound> {
  const { createClient } = await import('../../rpc/client/index.ts')
  const url = rpcUrl(config.rpc.address)
  const client = createClient(url, { env, retries: 0, timeout: PATIENCE })
  let node: RunningNode
  try {
    const [info, status, network] = await Promise.all([client.info(), client.status(), client.peers()])
    node = { info, status, network }
  } catch (error) {
    if (isEvolveError(error, 'RPC_UNREACHABLE'))
      return { node: undefined, taken: false, findings: [ok(`nothing answers at ${url}: it does not run`)] }
    const text = error instanceof Error ? error.message : String(error)
    const finding = problem(
      `at ${url} something answers that is no node: ${text}`,
      'end it, or change rpc.address',
    )
    return { node: undefined, taken: true, findings: [finding] }
  }
  if (peerId !== undefined && node.info.peerId !== peerId) {
    const finding = problem(
      `at ${url} another node answers, with peer id ${node.info.peerId}, of chain ${node.info.chainId}`,
      'give each node an rpc.address of its own',
    )
    return { node: undefined, taken: true, findings: [finding] }
  }
  return { node, taken: true, findings: judge(node, { url, config, genesis, now: env.now() }) }
}

function judge(
  { info, status }: RunningNode,
  {
    url,
    config,
    genesis,
    now,
  }: {
    readonly url: string
    readonly config: HomeFound['config']
    readonly genesis: Genesis | undefined
    readonly now: bigint
  },
): Finding[] {
  const findings: Finding[] = [judgePhase(status, url)]
  if (genesis !== undefined && genesis.chainId !== info.chainId) {
    findings.push(
      problem(
        `it runs chain ${info.chainId}, the genesis here is that of ${genesis.chainId}`,
        'start it anew, or give the right --home',
      ),
    )
  }
  const silence = Number(now - status.lastBlockTime) / 1e9
  const usual = (info.lazyInterval ?? info.blockTime) / 1_000
  if (
    status.phase === 'following' &&
    status.lastBlockTime > 0n &&
    silence > Math.max(LONG_SILENCE, 5 * usual)
  ) {
    findings.push(
      warning(
        `its last block is ${formatSpan(silence)} old`,
        'look whether the aggregator makes blocks, and whether peers and DA are reached',
      ),
    )
  }
  const { namespaces } = info
  if (namespaces !== undefined && config.da.namespace !== '') {
    const header = namespaceBytes(config.da.namespace)
    if (!equalBytes(header, namespaces.header))
      findings.push(warning('it reads another DA namespace than the configuration says', 'start it anew'))
  }
  if (status.da?.reachable === false)
    findings.push(problem('it does not reach its DA node', 'see what is said of DA below'))
  return findings
}

function judgePhase(status: NodeStatus, url: string): Finding {
  const { phase, height, targetHeight, estimate } = status
  const missing = Math.max(targetHeight - height, 0)
  const told = `runs at ${url}: ${phaseLabel(phase)}, height ${height}`
  if (phase === 'halted')
    return problem(`${told}; it has stopped itself`, 'read its log: it says why, and what to do')
  if (phase === 'waiting-peers')
    return warning(told, 'see what is said of peers and DA below: neither has shown it a block')
  if (phase === 'paused')
    return warning(told, 'its blocks do not get onto DA: see below, and whether the account there has funds')
  if (phase === 'waiting-executor') return problem(told, 'look at the execution layer: it does not answer')
  if (missing > FAR_BEHIND) {
    const left = estimate === undefined ? '' : `, about ${formatSpan(estimate / 1_000)} left`
    return ok(`${told}, ${missing} blocks behind${left}`)
  }
  return ok(told)
}
