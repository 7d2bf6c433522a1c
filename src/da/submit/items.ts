/*
 * Headers and data as they are posted: a header in an envelope, data with its signature. Both signatures are the
 * proposer's, so only blocks of the own key can be posted; others are for their proposer to post.
 */
import type { BlockStore } from '../../core/block-store.ts'
import type { Signer } from '../../core/signer.ts'
import {
  encodeData,
  encodeDAHeaderEnvelope,
  encodeSignedData,
  encodeSignedHeader,
} from '../../types/codec.ts'
import { isEmptyCommitment } from '../../types/data.ts'
import { headerHash, signerOf, type SignedHeader } from '../../types/header.ts'
import { equalBytes } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { varintLength } from '../../util/wire.ts'
import type { HalfKind, HalfName } from '../records.ts'

/** Something to be posted, not signed yet. */
export interface Draft {
  readonly name: HalfName
  /** Bytes of what will be posted, signature included. */
  readonly size: number
  /** Signs it and gives what is posted. */
  sign(): Promise<Uint8Array>
}

/** One kind of what is posted. */
export interface ItemKind {
  readonly kind: HalfKind
  /** Name of what is to be posted of a saved height; undefined when there is nothing to post. */
  name(height: number): Promise<HalfName | undefined>
  draft(height: number): Promise<Draft | undefined>
}

const SIGNATURE_FIELD = 2 + 64
/** The field of a signer with an address of 32 and a key of 36 bytes. */
const SIGNER_FIELD = 2 + 34 + 38

function missing(what: string, height: number): EvolveError {
  return new EvolveError('BLOCK_MISSING', `expected ${what} of the saved block ${height}, got none`, {
    verdict: 'retry',
    data: { height },
  })
}

interface ItemDeps {
  readonly blockStore: BlockStore
  readonly signer: Signer
}

/** The header of a saved height, when our key signed it. */
async function ownHeader(
  { blockStore, signer }: ItemDeps,
  height: number,
): Promise<SignedHeader | undefined> {
  const signed = await blockStore.header(height)
  if (signed === undefined) throw missing('the header', height)
  return equalBytes(signed.header.proposerAddress, signer.address) ? signed : undefined
}

/** Headers, in envelopes. Source: evnode.v1 DAHeaderEnvelope. */
export function createHeaderItems(deps: ItemDeps): ItemKind {
  const nameOf = ({ header }: SignedHeader): HalfName => ({
    height: header.height,
    kind: 'header',
    hash: headerHash(header),
  })
  return {
    kind: 'header',
    async name(height) {
      const header = await ownHeader(deps, height)
      return header === undefined ? undefined : nameOf(header)
    },
    async draft(height) {
      const header = await ownHeader(deps, height)
      if (header === undefined) return undefined
      const payload = encodeSignedHeader(header)
      return {
        name: nameOf(header),
        size: payload.length + SIGNATURE_FIELD,
        sign: async () =>
          encodeDAHeaderEnvelope({ header, envelopeSignature: await deps.signer.sign(payload) }),
      }
    },
  }
}

/** Data with transactions; without any there is nothing to post. Source: evnode.v1 SignedData. */
export function createDataItems(deps: ItemDeps): ItemKind {
  const { blockStore, signer } = deps
  const nameOf = (signed: SignedHeader | undefined): HalfName | undefined => {
    if (signed === undefined) return undefined
    const { height, dataHash } = signed.header
    return isEmptyCommitment(dataHash) ? undefined : { height, kind: 'data', hash: dataHash }
  }
  return {
    kind: 'data',
    name: async (height) => nameOf(await ownHeader(deps, height)),
    async draft(height) {
      const name = nameOf(await ownHeader(deps, height))
      if (name === undefined) return undefined
      const stored = await blockStore.data(height)
      if (stored === undefined) throw missing('the data', height)
      const { metadata, txs } = stored
      const data = metadata === undefined ? { txs } : { metadata, txs }
      const payload = encodeData(data)
      return {
        name,
        size: 1 + varintLength(payload.length) + payload.length + SIGNATURE_FIELD + SIGNER_FIELD,
        sign: async () =>
          encodeSignedData({
            data,
            signature: await signer.sign(payload),
            signer: signerOf(signer.publicKey),
          }),
      }
    },
  }
}
