/*
 * What the block store alone keeps of a height, and how far that was removed. The marks have the Go node's names.
 */
import type { Kv, KvOp } from '../core/kv.ts'
import { uint64BigEndian } from '../util/bytes.ts'
import {
  dataDaHeightName,
  headerDaHeightName,
  heightRange,
  KEYS,
  METADATA,
  nameKey,
  parseHeight,
} from './keys.ts'

/** Highest heights whose blocks and whose states are no longer kept; 0 while all are. */
export interface Pruned {
  readonly blocks: number
  readonly states: number
}

/** Reads the marks. */
export async function readPruned(kv: Kv): Promise<Pruned> {
  const names = [METADATA.lastPrunedBlockHeight, METADATA.lastPrunedStateHeight]
  const [blocks = 0, states = 0] = (await kv.getMany(names.map((name) => nameKey(KEYS.metadata, name)))).map(
    (bytes) => (bytes === undefined ? 0 : (parseHeight(bytes.toReversed()) ?? 0)),
  )
  return { blocks, states }
}

/** Sets a mark. */
export function prunedOps({ blocks, states }: Pruned): KvOp[] {
  const mark = (name: string, height: number): KvOp => ({
    type: 'put',
    key: nameKey(KEYS.metadata, name),
    value: uint64BigEndian(height).toReversed(),
  })
  return [mark(METADATA.lastPrunedBlockHeight, blocks), mark(METADATA.lastPrunedStateHeight, states)].filter(
    (_op, index) => (index === 0 ? blocks : states) > 0,
  )
}

/** Changes that move the marks from `before` to `next` and remove states and DA heights in between. */
export async function pruneOps(kv: Kv, before: Pruned, next: Pruned): Promise<KvOp[]> {
  const ops = prunedOps(next)
  const from = before.states === 0 ? 0 : before.states + 1
  for await (const key of kv.keys(heightRange(KEYS.states, from, next.states + 1))) {
    ops.push({ type: 'del', key })
  }
  const names: string[] = []
  for (let height = before.blocks + 1; height <= next.blocks; height++) {
    names.push(headerDaHeightName(height), dataDaHeightName(height))
  }
  return [...ops, ...names.map((name): KvOp => ({ type: 'del', key: nameKey(KEYS.metadata, name) }))]
}
