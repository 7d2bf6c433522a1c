import { describe, expect, test } from 'vitest'
import { forge, makeExecutedChain, SEEDS, spoilSignature } from '../../test/support/executed-chain.ts'
import type { Block } from '../core/block-store.ts'
import { dataCommitment, dataHash, type Data } from '../types/data.ts'
import { type Header, signHeader } from '../types/header.ts'
import { initialState, nextState, type State } from '../types/state.ts'
import { EMPTY_BYTES, utf8 } from '../util/bytes.ts'
import { type EvolveError, isEvolveError } from '../util/errors.ts'
import { faultOf, linkedData, type Tip, validateAlone, validateBlock } from './validate-block.ts'

const chain = makeExecutedChain({ count: 6 })
const { genesis } = chain

/** State after a height. */
function stateAfter(height: number): State {
  let state = initialState(genesis, chain.root(0))
  for (let h = 1; h <= height; h++) {
    const result = { stateRoot: chain.root(h), nextProposerAddress: EMPTY_BYTES }
    state = nextState(state, chain.at(h).header, result)
  }
  return state
}

function outcome(run: () => void): EvolveError | undefined {
  try {
    run()
  } catch (error) {
    if (isEvolveError(error)) return error
    throw error
  }
  return undefined
}

function check(block: Block, skipSignature = false): EvolveError | undefined {
  return outcome(() => validateBlock(stateAfter(4), block, { skipSignature }))
}

const good = chain.at(5)
const { stranger } = SEEDS
const otherData: Data = { ...good.data, txs: [utf8('something else')] }
const laterData: Data = {
  metadata: {
    chainId: genesis.chainId,
    height: 5,
    time: good.header.header.time + 1n,
    lastDataHash: EMPTY_BYTES,
  },
  txs: good.data.txs,
}
/** A block like height 5 with a changed header, and data that agrees with it. */
function blockWith(changes: Partial<Header>, seed: Uint8Array = SEEDS.first): Block {
  const header = forge(good.header, changes, seed)
  const { chainId, height, time } = header.header
  return {
    header,
    data: { metadata: { chainId, height, time, lastDataHash: EMPTY_BYTES }, txs: good.data.txs },
  }
}

describe('what may follow a state', () => {
  test('an honest block may, whether its signature is checked or not', () => {
    expect(check(good)).toBeUndefined()
    expect(check(good, true)).toBeUndefined()
  })

  test.each<[string, Block, string, string, string]>([
    [
      'a spoilt signature',
      { ...good, header: spoilSignature(good.header) },
      'INVALID_SIGNATURE',
      'reject',
      'header',
    ],
    [
      'no signature',
      { ...good, header: { ...good.header, signature: EMPTY_BYTES } },
      'INVALID_SIGNATURE',
      'reject',
      'header',
    ],
    [
      'a key that does not give the address',
      {
        ...good,
        header: { ...good.header, signer: { ...good.header.signer, address: new Uint8Array(32).fill(7) } },
      },
      'INVALID_SIGNATURE',
      'reject',
      'header',
    ],
    [
      'a signer who is not the named proposer',
      { ...good, header: signHeader(good.header.header, stranger) },
      'INVALID_HEADER',
      'reject',
      'header',
    ],
    ['a stranger as proposer', blockWith({}, stranger), 'UNEXPECTED_PROPOSER', 'reject', 'header'],
    ['another chain', blockWith({ chainId: 'other' }), 'WRONG_CHAIN_ID', 'reject', 'header'],
    ['a height too high', blockWith({ height: 6 }), 'UNEXPECTED_HEIGHT', 'reject', 'header'],
    ['a height too low', blockWith({ height: 4 }), 'UNEXPECTED_HEIGHT', 'reject', 'header'],
    [
      'a time before the last block',
      blockWith({ time: chain.at(4).header.header.time - 1n }),
      'UNORDERED_TIME',
      'reject',
      'header',
    ],
    [
      'a link to another block, by the proposer',
      blockWith({ lastHeaderHash: new Uint8Array(32).fill(1) }),
      'LAST_HEADER_HASH_MISMATCH',
      'halt',
      'state',
    ],
    [
      'another app hash, by the proposer',
      blockWith({ appHash: new Uint8Array(32).fill(1) }),
      'APP_HASH_MISMATCH',
      'halt',
      'state',
    ],
    [
      'another app hash, by a stranger',
      blockWith({ appHash: new Uint8Array(32).fill(1) }, stranger),
      'UNEXPECTED_PROPOSER',
      'reject',
      'header',
    ],
    ['other transactions', { ...good, data: otherData }, 'DATA_MISMATCH', 'reject', 'data'],
    ['another time in the data', { ...good, data: laterData }, 'DATA_MISMATCH', 'reject', 'data'],
    ['data without metadata', { ...good, data: { txs: good.data.txs } }, 'INVALID_DATA', 'reject', 'data'],
  ])('%s does not', (_, block, code, verdict, fault) => {
    const error = check(block)
    expect(error?.code).toBe(code)
    expect(error?.verdict).toBe(verdict)
    expect(faultOf(error)).toBe(fault)
  })

  test('a time equal to that of the last block may follow', () => {
    expect(check(blockWith({ time: chain.at(4).header.header.time }))).toBeUndefined()
  })

  test('the first block may not carry another app hash either', () => {
    const state = initialState(genesis, new Uint8Array(32).fill(3))
    expect(outcome(() => validateBlock(state, chain.at(1), { skipSignature: false }))?.code).toBe(
      'APP_HASH_MISMATCH',
    )
  })

  test('faults are found in the order signature, proposer, sequence, data', () => {
    const wrongEverywhere = blockWith({ appHash: EMPTY_BYTES, height: 9, chainId: 'other' }, stranger)
    const broken = { header: spoilSignature(wrongEverywhere.header), data: { txs: [] } }
    expect(check(broken)?.code).toBe('INVALID_SIGNATURE')
    expect(check({ ...wrongEverywhere, data: { txs: [] } })?.code).toBe('UNEXPECTED_PROPOSER')
    const steps: Partial<Header>[] = [
      { chainId: 'other', height: 9, time: 1n, lastHeaderHash: EMPTY_BYTES, appHash: EMPTY_BYTES },
      { height: 9, time: 1n, lastHeaderHash: EMPTY_BYTES, appHash: EMPTY_BYTES },
      { time: 1n, lastHeaderHash: EMPTY_BYTES, appHash: EMPTY_BYTES },
      { lastHeaderHash: EMPTY_BYTES, appHash: EMPTY_BYTES },
      { appHash: EMPTY_BYTES },
      {},
    ]
    const codes = steps.map((changes) => check({ ...blockWith(changes), data: { txs: [] } })?.code)
    expect(codes).toEqual([
      'WRONG_CHAIN_ID',
      'UNEXPECTED_HEIGHT',
      'UNORDERED_TIME',
      'LAST_HEADER_HASH_MISMATCH',
      'APP_HASH_MISMATCH',
      'INVALID_DATA',
    ])
  })

  test('a contradiction names height and both hashes', () => {
    const found = new Uint8Array(32).fill(0xab)
    const error = check(blockWith({ appHash: found }))
    expect(error?.message).toContain('block 5')
    expect(error?.message).toContain(Buffer.from(chain.root(4)).toString('hex'))
    expect(error?.message).toContain('ab'.repeat(32))
  })

  test('a contradiction is no reason to halt before its signature was seen to be right', () => {
    const wrong = blockWith({ appHash: new Uint8Array(32).fill(1) })
    const error = check({ ...wrong, header: spoilSignature(wrong.header) }, true)
    expect(error?.code).toBe('INVALID_SIGNATURE')
    expect(error?.verdict).toBe('reject')
  })

  test('without the state: form, signature and data of a block are judged, nothing else', () => {
    const alone = (block: Block, skipSignature = false): string | undefined =>
      outcome(() => validateAlone(block, { skipSignature }))?.code
    expect(alone(good)).toBeUndefined()
    expect(alone(blockWith({ height: 99, appHash: EMPTY_BYTES }, stranger))).toBeUndefined()
    expect(alone({ ...good, header: spoilSignature(good.header) })).toBe('INVALID_SIGNATURE')
    expect(alone({ ...good, header: spoilSignature(good.header) }, true)).toBeUndefined()
    expect(alone({ ...good, data: otherData }, true)).toBe('DATA_MISMATCH')
  })

  test('what breaks while a block is looked at is the fault of the block', () => {
    const trap = {
      ...good,
      get data(): Data {
        throw new TypeError('no such thing')
      },
    }
    expect(outcome(() => validateAlone(trap, { skipSignature: true }))?.verdict).toBe('reject')
  })
})

describe('the link of data', () => {
  const tip: Tip = { state: stateAfter(4), lastDataHash: dataHash(chain.at(4).data) }
  const unlinked: Data = {
    metadata: {
      chainId: genesis.chainId,
      height: 5,
      time: good.header.header.time,
      lastDataHash: new Uint8Array(32).fill(9),
    },
    txs: good.data.txs,
  }

  test('the right one is left as it is', () => {
    expect(linkedData(tip, good, false)).toBe(good.data)
    expect(linkedData(tip, good, true)).toBe(good.data)
  })

  test('another one is replaced in a block that is not stored: the data is then byte for byte the honest one', () => {
    const linked = linkedData(tip, { ...good, data: unlinked }, false)
    expect(dataHash(linked)).toEqual(dataHash(good.data))
    expect(dataCommitment(linked)).toEqual(dataCommitment(good.data))
  })

  test('another one in stored data is a fault of the data', () => {
    const error = outcome(() => linkedData(tip, { ...good, data: unlinked }, true))
    expect(error?.code).toBe('LAST_DATA_HASH_MISMATCH')
    expect(faultOf(error)).toBe('data')
  })

  test('empty data is derived from its header', () => {
    const empty = chain.at(3)
    const before: Tip = { state: stateAfter(2), lastDataHash: dataHash(chain.at(2).data) }
    const bare: Block = { header: empty.header, data: { txs: [] } }
    expect(dataHash(linkedData(before, bare, false))).toEqual(dataHash(empty.data))
  })

  test('nothing is judged while the data below is not known', () => {
    expect(linkedData({ ...tip, lastDataHash: undefined }, { ...good, data: unlinked }, true)).toBe(unlinked)
  })
})
