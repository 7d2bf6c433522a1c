/*
 * Peers and DA: what the node depends on elsewhere, and the clock, which shows only beside theirs.
 */
import type { Env } from '../../core/env.ts'
import type { DaFound, PeerFound } from '../../node/probes.ts'
import { type NodeKey, peerIdOf } from '../../p2p/identity.ts'
import type { Genesis } from '../../types/genesis.ts'
import { namespaceBytes } from '../../types/namespace.ts'
import { describeError, isEvolveError } from '../../util/errors.ts'
import { formatSpan } from '../progress.ts'
import { printable } from '../table.ts'
import type { HomeFound } from './config.ts'
import { type Finding, findingsOf } from './finding.ts'
import type { RunningNode } from './running.ts'

/** What was found elsewhere, and the times that others named: unix nanoseconds. */
export interface Elsewhere {
  readonly findings: readonly Finding[]
  readonly times: readonly bigint[]
}

/** Peers that are asked at once. */
const AT_ONCE = 8

const idIn = (address: string): string => address.split('/p2p/').at(-1) ?? ''

/** Connects to every configured peer that the running node is not connected to. */
export async function checkPeers(
  deps: { readonly env: Env },
  { config }: HomeFound,
  {
    genesis,
    nodeKey,
    node,
  }: {
    readonly genesis: Genesis | undefined
    readonly nodeKey: NodeKey | undefined
    readonly node: RunningNode | undefined
  },
): Promise<Elsewhere> {
  const { ok, warning, problem } = findingsOf('peers')
  const own = nodeKey === undefined ? undefined : peerIdOf(nodeKey)
  const addresses = config.p2p.peers.filter((address) => idIn(address) !== own)
  if (addresses.length === 0) {
    const none = config.node.aggregator
      ? ok('none are configured; others connect to an aggregator')
      : config.da.address.trim() === ''
        ? problem(
            'neither peers nor a DA node are configured',
            'set p2p.peers or da.address: the node has nobody to sync from',
          )
        : warning(
            'none are configured: the node syncs from DA alone',
            'set p2p.peers to be as fast as the chain',
          )
    return { findings: [none], times: [] }
  }
  if (genesis === undefined)
    return { findings: [warning('not tried without a genesis', 'mend that first')], times: [] }
  const connected = new Set(node?.network.peers.map(({ peer }) => peer))
  const { probePeer } = await import('../../node/probes.ts')
  // A running node is known by its key already: two connections of one key would disturb each other.
  const options = {
    chainId: genesis.chainId,
    ...(node === undefined && nodeKey !== undefined ? { nodeKey } : {}),
  }
  async function look(address: string): Promise<Judged> {
    if (connected.has(idIn(address)))
      return { finding: ok(`${address} is connected to the node`), time: undefined }
    try {
      return judgePeer(address, await probePeer(deps, { ...options, address }), deps.env.now())
    } catch (error) {
      return { finding: unreachablePeer(address, error), time: undefined }
    }
  }
  const results = new Map<string, Judged>()
  // Several addresses of one peer after each other: it knows us by our key, too.
  const byPeer = [...Map.groupBy(addresses, idIn).values()]
  for (let from = 0; from < byPeer.length; from += AT_ONCE) {
    const some = byPeer.slice(from, from + AT_ONCE).map(async (group) => {
      for (const address of group) results.set(address, await look(address))
    })
    await Promise.all(some)
  }
  const inOrder = addresses.flatMap((address) => results.get(address) ?? [])
  return {
    findings: inOrder.map(({ finding }) => finding),
    times: inOrder.flatMap(({ time }) => (time === undefined ? [] : [time])),
  }
}

/** What is to say of one peer, and the time of its newest block if it named one. */
interface Judged {
  readonly finding: Finding
  readonly time: bigint | undefined
}

function unreachablePeer(address: string, error: unknown): Finding {
  const { problem } = findingsOf('peers')
  const text = describeError(error).replace(`cannot connect to ${address}: `, '')
  const other = /identity|peer ?id|unexpected ?peer/i.test(text)
  return problem(
    `${address}: ${isEvolveError(error, 'TIMEOUT') ? 'no answer' : printable(text)}`,
    other
      ? 'ask its operator for its present peer id: another one answers there'
      : 'ask its operator whether it runs, and look at firewalls in between',
  )
}

function judgePeer(address: string, { agent, head, problem: why }: PeerFound, now: bigint): Judged {
  const { ok, problem } = findingsOf('peers')
  const software = agent === '' ? '' : `, ${printable(agent).slice(0, 40)}`
  if (why !== undefined) {
    const finding = problem(
      `${address} answers${software}, but serves no headers of this chain: ${printable(why)}`,
      'it may be of another chain: compare its genesis, or name another peer',
    )
    return { finding, time: undefined }
  }
  if (head === undefined)
    return { finding: ok(`${address} answers${software}; it has no blocks yet`), time: undefined }
  const age = Number(now - head.time) / 1e9
  const when = age < 0 ? `${formatSpan(-age)} in the future` : `${formatSpan(age)} old`
  return { finding: ok(`${address} answers${software}, height ${head.height}, ${when}`), time: head.time }
}

/** Asks the DA node for its head and for what the namespaces of the chain hold there. */
export async function checkDa(deps: { readonly env: Env }, { config }: HomeFound): Promise<Elsewhere> {
  const { ok, warning, problem } = findingsOf('DA')
  const { namespace, dataNamespace, authToken, blockTime } = config.da
  const address = config.da.address.trim()
  if (address === '') {
    const none = config.node.aggregator
      ? warning('no DA node is configured: blocks go to peers alone, nothing becomes final', 'set da.address')
      : ok('none is configured: the node follows its peers')
    return { findings: [none], times: [] }
  }
  const namespaces = [...new Set([namespace, dataNamespace].filter((name) => name !== ''))].map(
    namespaceBytes,
  )
  const { probeDa } = await import('../../node/probes.ts')
  let found: DaFound
  try {
    found = await probeDa(deps, { address, authToken, namespaces })
  } catch (error) {
    return { findings: [problem(`${address}: ${describeError(error)}`, adviceFor(error))], times: [] }
  }
  const { head, time, blobs, delay } = found
  if (head === 0)
    return {
      findings: [warning(`${address} answers, but has no blocks yet`, 'wait for its first block')],
      times: [],
    }
  const findings = [
    ok(
      `${address} answers in ${Math.ceil(delay)} ms, height ${head}, ${blobs} blobs of our namespaces there`,
    ),
  ]
  const age = time === 0n ? 0 : Number(deps.env.now() - time) / 1e9
  if (age > (10 * blockTime) / 1_000 + 60) {
    findings.push(
      warning(
        `its head is ${formatSpan(age)} old: it stands still, or this clock runs ahead`,
        'look whether the DA node is synchronised, and at the clock',
      ),
    )
  }
  return { findings, times: time === 0n ? [] : [time] }
}

function adviceFor(error: unknown): string {
  if (isEvolveError(error, 'DA_UNAUTHORIZED'))
    return 'set da.auth_token to a token of the DA node, with read and write permission'
  if (isEvolveError(error, 'DA_UNREACHABLE', 'TIMEOUT', 'DA_TIMEOUT'))
    return 'look whether the DA node runs (evolve da for development), and whether da.address is its address'
  return "compare the DA node's version: it must offer the blob and header modules"
}

/** Compares the clock with times that others named: of blocks, so never later than now. `now` in unix nanoseconds. */
export function checkClock(now: bigint, times: readonly bigint[]): Finding {
  const { ok, problem, warning } = findingsOf('clock')
  const latest = times.reduce((most, time) => (time > most ? time : most), 0n)
  if (latest === 0n) return ok('nobody was there to compare it with')
  const ahead = Number(latest - now) / 1e9
  const advice = 'set the clock: run chronyc tracking or timedatectl, and see that a time service runs'
  if (ahead > 10) return problem(`it is ${formatSpan(ahead)} behind the newest block`, advice)
  if (ahead > 1) return warning(`it is ${formatSpan(ahead)} behind the newest block`, advice)
  return ok(`not behind the newest block, which is ${formatSpan(Math.max(-ahead, 0))} old`)
}
