import { sha256 } from '#crypto'
import type { BlockStore } from '../core/block-store.ts'
import type { Env } from '../core/env.ts'
import { giveWay } from '../core/env.ts'
import { encodeSignedHeader } from '../types/codec-header.ts'
import { createSerial } from '../util/async.ts'
import { toHex } from '../util/bytes.ts'

/** Blocks, counted from the latest, that are found by the hash of their signed header. */
const REACH = 10_000

/** Headers that are hashed before others have a turn. */
const STEP = 100

/** Finds blocks by SHA-256 of the protobuf of their signed header, signature included. */
export interface SignedHeaderHashes {
  /** The height of such a block among the latest 10,000. */
  heightOf(hash: Uint8Array, options: { readonly signal: AbortSignal }): Promise<number | undefined>
}

/**
 * Makes {@link SignedHeaderHashes}. Nothing is kept on disk for them: few clients ask, so headers are hashed when one does,
 * each once.
 */
export function createSignedHeaderHashes(
  { env, blocks }: { readonly env: Env; readonly blocks: Pick<BlockStore, 'height' | 'header'> },
  { reach = REACH }: { readonly reach?: number } = {},
): SignedHeaderHashes {
  const serial = createSerial()
  const heights = new Map<string, number>()
  /** Heights whose hashes are known: from `first` to `last`. */
  let known: { first: number; last: number } | undefined

  async function add(height: number): Promise<boolean> {
    const header = await blocks.header(height)
    if (header === undefined) return false
    heights.set(toHex(sha256(encodeSignedHeader(header))), height)
    return true
  }

  function forget(below: number): void {
    if (known === undefined || known.first >= below) return
    for (const [hash, height] of heights) if (height < below) heights.delete(hash)
    known = { ...known, first: below }
  }

  async function fill(signal: AbortSignal): Promise<void> {
    const tip = await blocks.height()
    if (known !== undefined && known.last > tip) {
      heights.clear()
      known = undefined
    }
    const lowest = Math.max(1, tip - reach + 1)
    forget(lowest)
    for (let height = Math.max(lowest, (known?.last ?? lowest - 1) + 1); height <= tip; height++) {
      if (await add(height)) known = { first: known?.first ?? height, last: height }
      if (height % STEP === 0) await giveWay(env, signal)
    }
  }

  return {
    async heightOf(hash, { signal }) {
      const wanted = toHex(hash)
      if (!heights.has(wanted)) await serial.run(async () => await fill(signal))
      return heights.get(wanted)
    },
  }
}
