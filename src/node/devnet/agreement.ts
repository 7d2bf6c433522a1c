import { withTimeout, type Env } from '../../core/env.ts'
import { toHex } from '../../util/bytes.ts'
import { headerHash } from '../../types/header.ts'
import { abortable, deferred } from '../../util/async.ts'
import { EvolveError } from '../../util/errors.ts'
import type { FullNode } from '../full-node.ts'
import type { DevnetNode } from './devnet.ts'
import type { DevnetName } from './homes.ts'

/** What one node has at a height. */
export interface Opinion {
  readonly name: DevnetName
  /** Hex. */
  readonly headerHash: string
  readonly stateRoot: string
}

/** Whether nodes are one chain. */
export interface Agreement {
  readonly height: number
  readonly opinions: readonly Opinion[]
  readonly equal: boolean
}

/**
 * Waits until the height where the first node stands now is final for every node, then compares header and state
 * after it. Rejects with `TIMEOUT` after `patience` milliseconds.
 */
export async function agreement(
  env: Env,
  nodes: readonly DevnetNode[],
  { patience, signal }: { readonly patience: number; readonly signal: AbortSignal },
): Promise<Agreement> {
  const height = nodes[0]?.node.status().height ?? 0
  await withTimeout(env, patience, signal, `waiting for block ${height} to be final`, async (inner) => {
    await Promise.all(nodes.map(async ({ node }) => await finality(node, height, inner)))
  })
  const opinions = await Promise.all(
    nodes.map(async ({ name, node: { blocks } }): Promise<Opinion> => {
      const [header, state] = await Promise.all([blocks.header(height), blocks.stateAt(height)])
      if (header === undefined || state === undefined) {
        throw new EvolveError('NOT_FOUND', `${name} does not have block ${height} that it executed`)
      }
      return { name, headerHash: toHex(headerHash(header.header)), stateRoot: toHex(state.appHash) }
    }),
  )
  const [first] = opinions
  const equal = opinions.every(
    (one) => one.headerHash === first?.headerHash && one.stateRoot === first.stateRoot,
  )
  return { height, opinions, equal }
}

/** What a person reads of an agreement and of how the network did. */
export function describeAgreement(
  { height, opinions, equal }: Agreement,
  { txs, sent, refused }: { readonly txs: number; readonly sent: number; readonly refused: number },
): string[] {
  const widest = Math.max(...opinions.map(({ name }) => name.length))
  const [first] = opinions
  return [
    `block ${height} is final on every node`,
    ...opinions.map((one) => {
      const same = one.stateRoot === first?.stateRoot && one.headerHash === first.headerHash
      return `${same ? '✓' : '✗'} ${one.name.padEnd(widest)}  header ${one.headerHash.slice(0, 16)}…  state root ${one.stateRoot.slice(0, 16)}…`
    }),
    `${sent} transactions sent${refused === 0 ? '' : `, ${refused} refused`}, ${txs} in blocks`,
    equal ? 'all nodes have the same state' : 'the nodes differ',
  ]
}

async function finality(node: FullNode, height: number, signal: AbortSignal): Promise<void> {
  const final = deferred<void>()
  const unwatch = node.onFinal((at) => {
    if (at >= height) final.resolve()
  })
  try {
    if (node.status().finalHeight < height) await abortable(final.promise, signal)
  } finally {
    unwatch()
  }
}
