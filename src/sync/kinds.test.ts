import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signEd25519, verifyEd25519 } from '#crypto'
import { makeChain } from '../../test/support/chain.ts'
import { systemEnv } from '../core/env.ts'
import { noopLogger } from '../core/logger.ts'
import type { SignatureChecker } from '../core/signatures.ts'
import { encodeLegacyHeader, signerOf, signerOfSeed, type SignedHeader, signHeader } from '../types/header.ts'
import { isEvolveError } from '../util/errors.ts'
import { packedChecks } from '../util/signature-batch.ts'
import { dataKind, headerKind, headerKindWith } from './kinds.ts'
import { createSignaturePool } from './signatures/pool.node.ts'

const COUNT = 8
const { blocks, seed } = makeChain({ count: COUNT })
const otherSeed = new Uint8Array(32).fill(3)
const none = new Uint8Array(0)
/** The key of low order that signs everything with {@link anySignature}: good by the rule, refused by fast libraries. */
const weakKey = Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 1 : 0))
const anySignature = Uint8Array.from({ length: 64 }, (_, index) => (index === 0 ? 1 : 0))

/** What may come instead of a header that is signed as it should be. */
const CHANGES: Readonly<Record<string, (signed: SignedHeader) => SignedHeader>> = {
  legacyEncoding: (signed) => ({
    ...signed,
    signature: signEd25519(seed, encodeLegacyHeader(signed.header)),
  }),
  legacyFields(signed) {
    const legacy = { lastCommitHash: new Uint8Array(32).fill(1), consensusHash: none, lastResultsHash: none }
    const header = { ...signed.header, legacy }
    return { ...signed, header, signature: signEd25519(seed, encodeLegacyHeader(header)) }
  },
  weakKey(signed) {
    const signer = signerOf(weakKey)
    const header = { ...signed.header, proposerAddress: signer.address }
    return { header, signer, signature: anySignature }
  },
  wrongSignature: (signed) => ({ ...signed, signature: signHeader(signed.header, otherSeed).signature }),
  changed: (signed) => ({ ...signed, header: { ...signed.header, appHash: new Uint8Array(5) } }),
  wrongSigner: (signed) => ({ ...signed, signer: signerOfSeed(otherSeed) }),
  wrongAddress: (signed) => ({ ...signed, signer: { ...signed.signer, address: new Uint8Array(32) } }),
  noKey: (signed) => ({ ...signed, signer: { address: none, publicKey: none } }),
  badKey: (signed) => ({ ...signed, signer: { ...signed.signer, publicKey: new Uint8Array(9) } }),
  shortSignature: (signed) => ({ ...signed, signature: signed.signature.subarray(1) }),
  longSignature: (signed) => ({ ...signed, signature: new Uint8Array([...signed.signature, 0]) }),
  noSignature: (signed) => ({ ...signed, signature: none }),
  noTime: (signed) => ({ ...signed, header: { ...signed.header, time: 0n } }),
  noChainId: (signed) => ({ ...signed, header: { ...signed.header, chainId: '' } }),
}
/** Those of {@link CHANGES} that are good all the same. */
const GOOD = ['legacyEncoding', 'legacyFields', 'weakKey']

function signedAt(index: number): SignedHeader {
  const block = blocks[index]
  if (block === undefined) throw new Error(`no block ${index}`)
  return block.header
}

/** The items of a list of changes; undefined is a header as it should be. */
function itemsOf(changes: readonly (string | undefined)[]): SignedHeader[] {
  return changes.map((change, index) => {
    const signed = signedAt(index)
    return change === undefined ? signed : (CHANGES[change]?.(signed) ?? signed)
  })
}

type Verdict = { readonly good: number; readonly error?: unknown }

/** What `validate` says of one after the other. */
function oneByOne(items: readonly SignedHeader[]): Verdict {
  for (const [good, item] of items.entries()) {
    try {
      headerKind.validate(item)
    } catch (error) {
      return { good, error: reasonOf(error) }
    }
  }
  return { good: items.length }
}

async function allAtOnce(checker: SignatureChecker, items: readonly SignedHeader[]): Promise<Verdict> {
  const verdict = await headerKindWith(checker).validateAll?.(items)
  if (verdict === undefined) throw new Error('nothing validates all')
  return 'error' in verdict ? { good: verdict.good, error: reasonOf(verdict.error) } : verdict
}

function reasonOf(error: unknown): unknown {
  if (!isEvolveError(error)) return error
  const { code, message, verdict, data } = error
  return { code, message, verdict, data }
}

/** A checker that answers as it is told for each index and whether the signature is good. */
function createChecker(answer: (index: number, good: () => boolean) => number): SignatureChecker {
  return {
    async start() {},
    async stop() {},
    async check(batch) {
      const checks = [...packedChecks(batch.finish())]
      return Uint8Array.from(checks, ({ publicKey, message, signature }, index) =>
        answer(index, () => verifyEd25519(publicKey, message, signature)),
      )
    },
  }
}

const change = fc.constantFrom(undefined, undefined, ...GOOD, ...Object.keys(CHANGES))
const goodChange = fc.constantFrom(undefined, ...GOOD)
/** Lists with a wrong one anywhere, or none, and any behind it. */
const lists = fc
  .tuple(fc.array(goodChange, { maxLength: COUNT }), fc.array(change, { maxLength: COUNT }))
  .map(([front, rest]) => itemsOf([...front, ...rest].slice(0, COUNT)))

describe('validating all headers at once', () => {
  const pool = createSignaturePool({ env: systemEnv, logger: noopLogger }, { threads: 1 })
  beforeAll(async () => await pool.start())
  afterAll(async () => await pool.stop())

  test('the changes are as good or wrong as they are thought to be', () => {
    for (const name of Object.keys(CHANGES)) {
      expect([name, oneByOne(itemsOf([name])).good]).toEqual([name, GOOD.includes(name) ? 1 : 0])
    }
  })

  test.each(Object.keys(CHANGES))('says as one by one of %s at any position', async (name) => {
    for (let position = 0; position < COUNT; position++) {
      const items = itemsOf(
        Array.from({ length: COUNT }, (_, index) => (index === position ? name : undefined)),
      )
      const verdict = await allAtOnce(pool, items)
      expect(verdict).toEqual(oneByOne(items))
      expect(verdict.good).toBe(GOOD.includes(name) ? COUNT : position)
    }
  })

  test('says as one by one of any list, with threads that check', async () => {
    const property = fc.asyncProperty(lists, async (items) => {
      expect(await allAtOnce(pool, items)).toEqual(oneByOne(items))
    })
    await fc.assert(property, { numRuns: 200 })
  })

  test('says as one by one when nobody checks', async () => {
    const zeros = createChecker(() => 0)
    const property = fc.asyncProperty(lists, async (items) => {
      expect(await allAtOnce(zeros, items)).toEqual(oneByOne(items))
    })
    await fc.assert(property, { numRuns: 50 })
  })

  test('says as one by one when some good ones are not found good', async () => {
    const found = fc.array(fc.boolean(), { minLength: COUNT, maxLength: COUNT })
    const property = fc.asyncProperty(lists, found, async (items, finds) => {
      const some = createChecker((index, good) => (finds[index] === true && good() ? 1 : 0))
      expect(await allAtOnce(some, items)).toEqual(oneByOne(items))
    })
    await fc.assert(property, { numRuns: 50 })
  })

  test('leaves the signatures to the checker, and nothing else', async () => {
    const ones: SignatureChecker = {
      ...createChecker(() => 0),
      // Also for those it was not asked about.
      check: async () => new Uint8Array(COUNT).fill(1),
    }
    const wrongSignature = itemsOf(Array.from({ length: COUNT }, () => 'wrongSignature'))
    expect(await allAtOnce(ones, wrongSignature)).toEqual({ good: COUNT })
    for (const name of ['wrongSigner', 'wrongAddress', 'shortSignature', 'noTime']) {
      const items = itemsOf(['wrongSignature', 'wrongSignature', name, undefined])
      expect(await allAtOnce(ones, items)).toMatchObject({ good: 2 })
    }
  })

  test('takes an empty list', async () => {
    expect(await allAtOnce(pool, [])).toEqual({ good: 0 })
  })
})

test('many small transactions count for what they take in memory, not for their few bytes', () => {
  const txs = Array.from({ length: 1_000 }, () => Uint8Array.of(1))
  const item = { txs }
  expect(dataKind.encode(item).length).toBeLessThan(4_000)
  expect(dataKind.memory?.(item)).toBeGreaterThan(200_000)
})
