/*
 * Saves the blocks of a generated chain in new databases, so many together. Argument: a WriteOrder as JSON. Tells a
 * WriteResult.
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import type { BlockSave } from '../../src/core/block-store.ts'
import { createBlockStore } from '../../src/store/block-store.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { parseGenesis } from '../../src/types/genesis.ts'
import { EMPTY_BYTES, fromHex } from '../../src/util/bytes.ts'
import { initialState, nextState } from '../../src/types/state.ts'
import type { WriteOrder, WriteResult } from '../store.ts'
import { openChain } from './chain-stores.ts'

const { chain, folder, groups, span }: WriteOrder = JSON.parse(process.argv[2] ?? '{}')
const stores = await openChain(chain.home)
const headers = await stores.headers.range(1, chain.blocks + 1)
const data = await stores.data.range(1, chain.blocks + 1)
await stores.stop()

const first = initialState(parseGenesis(chain.genesis), headers[0]?.header.appHash ?? EMPTY_BYTES)
const blocks: BlockSave[] = []
for (const [index, header] of headers.entries()) {
  const one = data[index]
  if (one === undefined) throw new Error(`data ${index} is missing`)
  const stateRoot = headers[index + 1]?.header.appHash ?? fromHex(chain.stateRoot) ?? EMPTY_BYTES
  const result = { stateRoot, nextProposerAddress: EMPTY_BYTES }
  const state = nextState(blocks.at(-1)?.state ?? first, header, result)
  blocks.push({ header, data: one, state, stored: false })
}

const perSecond: number[] = []
let path = ''
for (const group of groups) {
  path = join(folder, String(group))
  const kv = createLevelKv({ path })
  const store = createBlockStore({ kv })
  await kv.start()
  await store.start()
  await store.saveState(first)
  const begun = performance.now()
  let saved = 0
  let took = 0
  // The last database is to be whole: its room is measured.
  while (saved < blocks.length && (took < span || group === groups.at(-1))) {
    await store.saveBlocks(blocks.slice(saved, saved + group))
    saved += group
    took = performance.now() - begun
  }
  perSecond.push((Math.min(saved, blocks.length) * 1_000) / took)
  await store.stop()
  await kv.stop()
}
process.send?.({ perSecond, bytesPerBlock: (await tidiedBytes()) / blocks.length } satisfies WriteResult)
process.once('disconnect', () => process.exit())

async function tidiedBytes(): Promise<number> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.compactRange(Uint8Array.of(0), Uint8Array.of(255))
  await level.close()
  return readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0)
}
