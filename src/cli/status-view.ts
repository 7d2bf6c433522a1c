/*
 * What a person sees of a running node, and what a program is told.
 */
import type { NodeInfo, NodeStatus } from '../rpc/client/index.ts'
import { formatTimestamp } from '../types/timestamp.ts'
import { toHex } from '../util/bytes.ts'
import { formatSpan, isQuiet, phaseLabel, renderProgress } from './progress.ts'
import { printable } from './table.ts'

/** What {@link renderStatus} shows. */
export interface StatusFacts {
  readonly url: string
  readonly info: NodeInfo
  readonly status: NodeStatus
  /** Unix nanoseconds. */
  readonly now: bigint
  /** Why the node does not answer at the moment; undefined while it does. */
  readonly trouble: string | undefined
  /** Said behind the title. */
  readonly note: string
}

const grouped = new Intl.NumberFormat('en-US')
const bold = (text: string): string => `\u001b[1m${text}\u001b[22m`
const green = (text: string): string => `\u001b[32m${text}\u001b[39m`
const yellow = (text: string): string => `\u001b[33m${text}\u001b[39m`
const red = (text: string): string => `\u001b[31m${text}\u001b[39m`

const WELL: ReadonlySet<string> = new Set(['following', 'producing'])
const NS_PER_SECOND = 1e9

/** Seconds since a time; clocks of two machines may differ a little. */
function secondsSince(time: bigint, now: bigint): number {
  return Math.max(Number(now - time) / NS_PER_SECOND, 0)
}

function ago(time: bigint, now: bigint): string {
  const seconds = Math.floor(secondsSince(time, now))
  return seconds === 0 ? 'just now' : `${formatSpan(seconds)} ago`
}

function rate(value: number): string {
  return value >= 10 ? grouped.format(Math.round(value)) : value.toFixed(1)
}

/** A height, and how far it is behind another. */
function behind(height: number, other: number): string {
  const missing = other - height
  return missing > 0
    ? `${grouped.format(height)}  (${grouped.format(missing)} behind)`
    : grouped.format(height)
}

function daLine({ da }: NodeStatus): string {
  if (da === undefined) return 'none'
  const read = `read to ${grouped.format(Math.max(da.next - 1, 0))} of ${grouped.format(da.head)}`
  return da.reachable ? read : `${read}  cannot be reached`
}

function lastBlock({ height, lastBlockTime }: NodeStatus, now: bigint): string {
  if (lastBlockTime === 0n) return 'none yet'
  return `${grouped.format(height)}  ${ago(lastBlockTime, now)}, ${formatTimestamp(lastBlockTime)}`
}

/** The lines for a terminal of `width` columns; with `color`, in colours. */
export function renderStatus(
  { url, info, status, now, trouble, note }: StatusFacts,
  { width, color }: { readonly width: number; readonly color: boolean },
): string[] {
  const paint = (style: (text: string) => string, text: string): string => (color ? style(text) : text)
  const room = Math.max(width - 1, 20)
  const cut = (text: string): string => {
    const line = printable(text)
    return line.length > room ? `${line.slice(0, room - 1)}…` : line
  }
  const style = WELL.has(status.phase) ? green : status.phase === 'halted' ? red : yellow
  const { rates, da } = status
  const rows: (readonly [string, string])[] = [
    ['node', `${info.role}, version ${info.version}, up ${formatSpan(secondsSince(info.started, now))}`],
    ['state', phaseLabel(status.phase)],
    ['last block', lastBlock(status, now)],
    ['headers', grouped.format(status.headerHeight)],
    ['data', behind(status.dataHeight, status.headerHeight)],
    ['executed', behind(status.height, status.targetHeight)],
    ['final', behind(status.finalHeight, status.height)],
    ['DA', daLine(status)],
    ...(info.role === 'aggregator' && da !== undefined
      ? [['not posted', grouped.format(da.pending)] as const]
      : []),
    ['first block', grouped.format(status.earliestHeight)],
    [
      'speed',
      `${rate(rates.blocks)} blocks/s  ${rate(rates.transactions)} tx/s  ${rate(rates.headers)} headers/s  ${rate(rates.daHeights)} DA heights/s`,
    ],
    ['peers', String(status.peers)],
    ['state root', toHex(status.stateRoot.subarray(0, 32)) || 'none'],
    ['hash', toHex(status.lastHeaderHash) || 'none'],
  ]
  const size = Math.max(...rows.map(([label]) => label.length))
  const lines = rows.map(([label, value]) => {
    const line = cut(`${label.padEnd(size)}  ${value}`)
    return label === 'state' ? line.replace(value, paint(style, value)) : line
  })
  const bar = isQuiet(status.phase)
    ? []
    : [
        cut(renderProgress({ ...status, blocksPerSecond: rates.blocks }, room + 1)).replace(/█+/, (full) =>
          paint(green, full),
        ),
      ]
  return [
    paint(bold, cut(`${info.chainId}   ${url}   ${note}`.trimEnd())),
    ...bar,
    ...lines,
    ...(trouble === undefined ? [] : [paint(yellow, cut(`no answer: ${trouble}`))]),
  ]
}

/** The same in one line. */
export function statusLine({ info, status, now }: StatusFacts): string {
  const { da } = status
  return [
    `${printable(info.chainId)} ${printable(status.phase)}`,
    `height ${status.height} of ${status.targetHeight}`,
    `headers ${status.headerHeight}`,
    `data ${status.dataHeight}`,
    `final ${status.finalHeight}`,
    ...(da === undefined
      ? []
      : [`DA ${Math.max(da.next - 1, 0)} of ${da.head}${da.reachable ? '' : ' (no answer)'}`]),
    `${rate(status.rates.blocks)} blocks/s`,
    `${status.peers} ${status.peers === 1 ? 'peer' : 'peers'}`,
    ...(status.lastBlockTime === 0n ? [] : [`last block ${ago(status.lastBlockTime, now)}`]),
  ].join(' · ')
}

/** What a program is told. Times in RFC 3339, spans in milliseconds, bytes in hex. */
export function statusFields({ url, info, status, now }: StatusFacts): Readonly<Record<string, unknown>> {
  const { da, lastBlockTime, rates } = status
  const age = Math.round(secondsSince(lastBlockTime, now) * 1_000)
  return {
    url,
    chain_id: info.chainId,
    version: info.version,
    role: info.role,
    peer_id: info.peerId,
    started: formatTimestamp(info.started),
    phase: status.phase,
    height: status.height,
    header_height: status.headerHeight,
    data_height: status.dataHeight,
    target_height: status.targetHeight,
    final_height: status.finalHeight,
    earliest_height: status.earliestHeight,
    peers: status.peers,
    da:
      da === undefined
        ? null
        : { next: da.next, head: da.head, reachable: da.reachable, pending: da.pending },
    last_block_time: lastBlockTime === 0n ? null : formatTimestamp(lastBlockTime),
    last_block_age_ms: lastBlockTime === 0n ? null : age,
    state_root: toHex(status.stateRoot),
    last_header_hash: toHex(status.lastHeaderHash),
    rates: {
      blocks: rates.blocks,
      transactions: rates.transactions,
      headers: rates.headers,
      da_heights: rates.daHeights,
    },
    estimate_ms: status.estimate ?? null,
  }
}
