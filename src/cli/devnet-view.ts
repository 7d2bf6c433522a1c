/*
 * What a person sees of a devnet: one table, a row a node.
 */
import type { DevnetStatus } from '../node/devnet/devnet.ts'
import type { NodePhase } from '../core/status.ts'
import { toHex } from '../util/bytes.ts'
import { formatSpan } from './progress.ts'

/** What {@link renderDevnet} shows besides the status. */
export interface DevnetFacts {
  readonly status: DevnetStatus
  /** Seconds since the start. */
  readonly elapsed: number
  /** Transactions in blocks and blocks, a second, lately. */
  readonly txsPerSecond: number
  readonly blocksPerSecond: number
  /** Where everything is kept. */
  readonly root: string
  /** The last thing that went wrong, if any did. */
  readonly warning: string | undefined
  /** What ends it. */
  readonly ends: string
}

const grouped = new Intl.NumberFormat('en-US')
const bold = (text: string): string => `\u001b[1m${text}\u001b[22m`
const dim = (text: string): string => `\u001b[2m${text}\u001b[22m`
const green = (text: string): string => `\u001b[32m${text}\u001b[39m`
const yellow = (text: string): string => `\u001b[33m${text}\u001b[39m`

const COLUMNS = ['node', 'state', 'height', 'final', 'DA read', 'peers', 'state root'] as const
const NUMBERS: ReadonlySet<string> = new Set(['height', 'final', 'DA read', 'peers'])
const WELL: ReadonlySet<string> = new Set<NodePhase>(['producing', 'following'])

/** Not every node of a devnet has peers to wait for. */
const stateOf = (phase: NodePhase): string => (phase === 'waiting-peers' ? 'waiting' : phase)

/** The lines for a terminal of `width` columns; with `color`, in colours. */
export function renderDevnet(
  facts: DevnetFacts,
  { width, color }: { readonly width: number; readonly color: boolean },
): string[] {
  const { status, elapsed, root } = facts
  const paint = (style: (text: string) => string, text: string): string => (color ? style(text) : text)
  const room = Math.max(width - 1, 20)
  const cut = (text: string): string => {
    const line = text.replaceAll(/\p{Cc}/gu, '·')
    return line.length > room ? `${line.slice(0, room - 1)}…` : line
  }
  const rate = (value: number): string => (value >= 10 ? grouped.format(Math.round(value)) : value.toFixed(1))
  const lines = [
    paint(bold, cut(`evolve devnet   ${formatSpan(elapsed)}   ${facts.ends}`)),
    cut(`DA            ${status.da.address}   height ${grouped.format(status.da.height)}`),
    cut(`explorer      ${status.rpc}`),
    cut(`transactions  ${status.endpoint}/tx   ${grouped.format(status.txs)} in blocks`),
    cut(`speed         ${rate(facts.blocksPerSecond)} blocks/s   ${rate(facts.txsPerSecond)} tx/s`),
    cut(`home          ${root}`),
    '',
  ]
  const rows = status.nodes.map(({ name, status: node }) => ({
    node: name,
    state: stateOf(node.phase),
    height: grouped.format(node.height),
    final: grouped.format(node.finalHeight),
    'DA read': node.da === undefined ? '–' : grouped.format(Math.max(node.da.next - 1, 0)),
    peers: String(node.peers),
    'state root': toHex(node.stateRoot.subarray(0, 8)) || '–',
  }))
  const widths = COLUMNS.map((column) => Math.max(column.length, ...rows.map((row) => row[column].length)))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => {
        const column = COLUMNS[index] ?? ''
        const size = widths[index] ?? 0
        return NUMBERS.has(column) ? cell.padStart(size) : cell.padEnd(size)
      })
      .join('  ')
      .trimEnd()
  lines.push(paint(dim, cut(line(COLUMNS))))
  for (const row of rows) {
    const text = cut(line(COLUMNS.map((column) => row[column])))
    lines.push(text.replace(row.state, paint(WELL.has(row.state) ? green : yellow, row.state)))
  }
  if (facts.warning !== undefined) lines.push('', paint(yellow, cut(`last warning  ${facts.warning}`)))
  return lines
}

/** The same in one line, for where no terminal is. */
export function devnetLine({ status, txsPerSecond, blocksPerSecond }: DevnetFacts): string {
  const nodes = status.nodes.map(
    ({ name, status: node }) => `${name} ${stateOf(node.phase)} ${node.height} (final ${node.finalHeight})`,
  )
  return [
    `DA ${status.da.height}`,
    ...nodes,
    `${Math.round(blocksPerSecond)} blocks/s`,
    `${Math.round(txsPerSecond)} tx/s`,
  ].join(' · ')
}
