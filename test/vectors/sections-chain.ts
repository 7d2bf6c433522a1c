/*
 * Sections about blocks and how they follow each other: chain, verify_headers, state_checks.
 */
import { ed25519PublicKey, signEd25519 } from '#crypto'
import { isSoftFailure, verify } from '../../src/header/verify.ts'
import { headerKind } from '../../src/sync/kinds.ts'
import {
  decodeP2PData,
  decodeP2PSignedHeader,
  decodeState,
  encodeHeader,
  encodeP2PData,
  encodeP2PSignedHeader,
  encodeState,
} from '../../src/types/codec.ts'
import { dataCommitment, dataHash, type P2PData } from '../../src/types/data.ts'
import { headerHash, type P2PSignedHeader, proposerAddressOf } from '../../src/types/header.ts'
import { nextState, type State } from '../../src/types/state.ts'
import {
  validateData,
  validateHeader,
  validatePair,
  validateProposer,
  validateSequence,
} from '../../src/types/validate.ts'
import { EMPTY_BYTES, equalBytes, toHex } from '../../src/util/bytes.ts'
import type { ChainBlock, FileChain } from './chain-section.ts'
import type { Fields } from './fields.ts'
import { kindOf } from './kinds.ts'
import { textOf } from './read.ts'

/** Reads a header as peers send it: canonical, signed by its proposer, and not on DA yet. */
function readP2PHeader(fields: Fields, field: string): P2PSignedHeader {
  const bytes = fields.presentBytes(field)
  const signed = decodeP2PSignedHeader(bytes)
  fields.sameBytes(field, bytes, () => encodeP2PSignedHeader(signed))
  fields.same(field, 'null', () => kindOf(undefined, () => validateHeader(signed)))
  fields.holds(field, 'without a DA height', () => signed.daHeightHint === 0)
  return signed
}

/** Reads data as peers send it: canonical, complete, and not on DA yet. */
function readP2PData(fields: Fields, field: string): P2PData {
  const bytes = fields.presentBytes(field)
  const data = decodeP2PData(bytes)
  fields.sameBytes(field, bytes, () => encodeP2PData(data))
  fields.same(field, 'null', () => kindOf(undefined, () => validateData(data)))
  fields.holds(field, 'without a DA height', () => data.daHeightHint === 0)
  return data
}

/** The whole of `chain`: its own fields, given one block after another by {@link checkChainBlock}. */
export function checkChainHead(fields: Fields): { readonly seed: Uint8Array; readonly chainId: string } {
  const seed = fields.presentBytes('proposer_seed')
  fields.sameBytes('proposer_address', fields.presentBytes('proposer_address'), () =>
    proposerAddressOf(ed25519PublicKey(seed)),
  )
  return { seed, chainId: fields.text('chain_id') }
}

/** A block of `chain`, against the block below and the keys of the chain. */
export function checkChainBlock(
  fields: Fields,
  head: { readonly seed: Uint8Array; readonly chainId: string },
  below: ChainBlock | undefined,
): void {
  const header = readP2PHeader(fields, 'p2p_header')
  const data = readP2PData(fields, 'p2p_data')
  fields.same('height', String(fields.uint64('height')), () => String(header.header.height))
  fields.sameBytes('header_hash', fields.presentBytes('header_hash'), () => headerHash(header.header))
  fields.sameBytes('data_hash', fields.presentBytes('data_hash'), () => dataHash(data))
  const expected = fields.kind('validate_pair')
  fields.same('validate_pair', expected ?? 'null', () => kindOf(expected, () => validatePair(header, data)))
  fields.same('p2p_header', head.chainId, () => header.header.chainId)
  fields.sameBytes('p2p_header', header.signature, () => signEd25519(head.seed, encodeHeader(header.header)))
  fields.sameBytes('p2p_header', header.header.lastHeaderHash, () => below?.headerHash ?? EMPTY_BYTES)
  fields.sameBytes(
    'p2p_data',
    data.metadata?.lastDataHash ?? EMPTY_BYTES,
    () => below?.dataHash ?? EMPTY_BYTES,
  )
  if (below === undefined) return
  fields.same('p2p_header', 'null', () =>
    kindOf(undefined, () => verify(headerKind, below.header, header, header.header.time)),
  )
}

/** A case of `verify_headers`. `now` in unix nanoseconds. */
export function checkVerification(fields: Fields, now: bigint): void {
  fields.text('name')
  const trusted = readP2PHeader(fields, 'trusted')
  const untrusted = readP2PHeader(fields, 'untrusted')
  const expected = fields.kind('error')
  let soft = false
  fields.same('error', expected ?? 'null', () =>
    kindOf(expected, () => {
      try {
        verify(headerKind, trusted, untrusted, now)
      } catch (error) {
        soft = isSoftFailure(error)
        throw error
      }
    }),
  )
  fields.same('soft_failure', String(fields.boolean('soft_failure')), () => String(soft))
}

/** The state after a block of the file's chain, as far as blocks say; undefined when the chain does not have it. */
function stateAfter(chain: FileChain, height: number): State | undefined {
  const block = chain.blocks.get(height)
  const next = chain.blocks.get(height + 1)
  const first = chain.blocks.keys().next().value
  if (block === undefined || next === undefined || first === undefined) return undefined
  const { chainId, appHash, proposerAddress } = next.header.header
  const before: State = {
    version: block.header.header.version,
    chainId,
    initialHeight: first,
    lastBlockHeight: height - 1,
    lastBlockTime: 0n,
    daHeight: 0,
    appHash: EMPTY_BYTES,
    lastHeaderHash: EMPTY_BYTES,
    nextProposerAddress: proposerAddress,
  }
  return nextState(before, block.header, { stateRoot: appHash, nextProposerAddress: proposerAddress })
}

/** A case of `state_checks`. Its state and data are those of the file's chain, except where the case is about them. */
export function checkState(fields: Fields, chain: FileChain): void {
  fields.text('name')
  const bytes = fields.presentBytes('state')
  const state = decodeState(bytes)
  const header = readP2PHeader(fields, 'p2p_header')
  const data = readP2PData(fields, 'p2p_data')
  const expected = fields.kind('error')
  fields.sameBytes('state', bytes, () => encodeState(state))
  fields.same('error', expected ?? 'null', () =>
    kindOf(expected, () => {
      validateProposer(state, header)
      validateSequence(state, header)
      validatePair(header, data)
    }),
  )
  const after = stateAfter(chain, state.lastBlockHeight)
  fields.same('state', after === undefined ? 'a state after a block of the chain' : textOf(state), () =>
    after === undefined
      ? `one after height ${state.lastBlockHeight}`
      : textOf({
          ...after,
          daHeight: state.daHeight,
          ...(expected === 'unexpected-proposer' ? { nextProposerAddress: state.nextProposerAddress } : {}),
        }),
  )
  checkDataOfChain(fields, data, chain, expected === 'data-hash-mismatch')
}

/** The data is that of the chain's block of its height; its transactions may be others where that is the case. */
function checkDataOfChain(fields: Fields, data: P2PData, chain: FileChain, otherTxs: boolean): void {
  const { metadata } = data
  const block = metadata && chain.blocks.get(metadata.height)
  fields.holds('p2p_data', 'of a block of the chain', () => metadata?.chainId === chain.chainId && !!block)
  if (metadata === undefined || block === undefined) return
  const { header } = block.header
  fields.same('p2p_data', String(header.time), () => String(metadata.time))
  const below = chain.blocks.get(metadata.height - 1)
  if (below !== undefined) fields.sameBytes('p2p_data', below.dataHash, () => metadata.lastDataHash)
  fields.holds(
    'p2p_data',
    otherTxs ? 'with other transactions than the chain' : 'with the transactions of the chain',
    () => equalBytes(dataCommitment(data), header.dataHash) !== otherTxs,
  )
}

/** The hash of a block's header, in upper-case hex, as the reference's index has it. */
export function indexName(block: ChainBlock): string {
  return toHex(block.headerHash).toUpperCase()
}
