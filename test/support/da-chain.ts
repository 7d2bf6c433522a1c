import { expect } from 'vitest'
import { type Data, dataCommitment, dataHash } from '../../src/types/data.ts'
import { headerHash, type SignedHeader } from '../../src/types/header.ts'
import { inclusionOf } from '../../src/da/records.ts'
import { toHex } from '../../src/util/bytes.ts'
import type { TestChain } from './chain.ts'
import { type DaRig, envelopeBytes, RIG_DATA, RIG_HEADERS, signedDataBytes } from './da-rig.ts'
import type { ScriptedDa } from './scripted-da.ts'

/** Puts the blocks of a test chain on DA, and compares what was read with them. */
export interface DaChain {
  readonly block: (height: number) => { readonly header: SignedHeader; readonly data: Data }
  readonly postHeaders: (da: ScriptedDa, at: number, ...heights: readonly number[]) => void
  /** Those with transactions: the others are not posted. */
  readonly postData: (da: ScriptedDa, at: number, ...heights: readonly number[]) => void
  /** Both stores hold the chain up to a height, as it was made. */
  readonly expectIn: (rig: DaRig, height: number) => Promise<void>
  /** DA heights at which header and data of a block were noted. */
  readonly inclusion: (rig: DaRig, height: number) => Promise<(number | undefined)[]>
}

/** Heights from `from` (1) to `to`. */
export function heightsTo(to: number, from = 1): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}

/** Makes a {@link DaChain}. Its data goes into the rig's namespace of data. */
export function createDaChain({ blocks, seed }: TestChain, dataNamespace: Uint8Array = RIG_DATA): DaChain {
  function block(height: number): { readonly header: SignedHeader; readonly data: Data } {
    const found = blocks[height - (blocks[0]?.header.header.height ?? 1)]
    if (found === undefined) throw new Error(`no block ${height}`)
    return found
  }
  return {
    block,
    postHeaders(da, at, ...heights) {
      da.put(at, RIG_HEADERS, ...heights.map((height) => envelopeBytes(block(height).header, seed)))
    },
    postData(da, at, ...heights) {
      const posted = heights.map((height) => block(height).data).filter(({ txs }) => txs.length > 0)
      da.put(at, dataNamespace, ...posted.map((data) => signedDataBytes(data, seed)))
    },
    async expectIn(rig, height) {
      expect([rig.headers.store().height, rig.data.store().height]).toEqual([height, height])
      const from = rig.headers.store().tailHeight
      const [headers, data] = await Promise.all([
        rig.headers.store().range(from, height + 1),
        rig.data.store().range(from, height + 1),
      ])
      const wanted = heightsTo(height, from).map(block)
      expect(headers.map(({ header }) => toHex(headerHash(header)))).toEqual(
        wanted.map(({ header }) => toHex(headerHash(header.header))),
      )
      expect(data.map((one) => toHex(dataHash(one)))).toEqual(wanted.map((one) => toHex(dataHash(one.data))))
    },
    async inclusion(rig, height) {
      const { header, data } = block(height)
      return await Promise.all([
        inclusionOf(rig.part, { height, kind: 'header', hash: headerHash(header.header) }),
        inclusionOf(rig.part, { height, kind: 'data', hash: dataCommitment(data) }),
      ])
    },
  }
}
