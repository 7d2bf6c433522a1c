import { EvolveError } from 'evolve-node/client'
import { describe, expect, test } from 'vitest'
import { notYet, readWanted, search, type SearchClient } from './search.ts'

const hash = 'ab'.repeat(32)
const never = new AbortController().signal

describe('what was typed is read', () => {
  test.each([
    ['12', 12],
    [' #1,234 ', 1_234],
    ['1 234', 1_234],
    ['007', 7],
  ])('%j as a height', (text, height) => expect(readWanted(text)).toEqual({ kind: 'height', height }))

  test.each([hash, hash.toUpperCase(), `0x${hash}`, ` ${hash}\n`])('%j as a hash', (text) =>
    expect(readWanted(text)).toEqual({ kind: 'hash', hash }),
  )

  test.each([
    ['', /^Type a height/],
    ['9007199254740993', 'No chain is that high.'],
    ['1'.repeat(30), 'No chain is that high.'],
    ['abcdef', 'A hash has 64 hex digits; this has 6.'],
    [`${hash}a`, 'A hash has 64 hex digits; this has 65.'],
    ['-1', /^That is neither/],
    ['1.5', /^That is neither/],
    ['<script>', /^That is neither/],
  ])('%j as unclear', (text, why) => {
    expect(readWanted(text)).toEqual({ kind: 'unclear', why: expect.stringMatching(why) })
  })
})

/** A node whose parts all fail with one error. */
function failing(code: string): SearchClient {
  const fail = async (): Promise<never> => await Promise.reject(new EvolveError(code, 'it failed'))
  return { status: fail, block: fail, transaction: fail }
}

describe('what cannot be found is said in words', () => {
  test.each([
    ['5', 'RPC_UNREACHABLE', 'The node cannot be reached.'],
    [hash, 'RPC_UNREACHABLE', 'The node cannot be reached.'],
    [hash, 'TX_NOT_FOUND', 'No block and no transaction has this hash.'],
    [hash, 'SOMETHING_NEW', 'It failed.'],
  ])('%j when the node says %s', async (text, code, why) => {
    expect(await search(failing(code), text, never)).toEqual({ why })
  })

  test('and where transactions are not indexed, that too', async () => {
    const client = { ...failing('BLOCK_NOT_FOUND'), transaction: failing('TX_INDEX_OFF').transaction }
    expect(await search(client, hash, never)).toEqual({ why: expect.stringContaining('no index') })
  })
})

test('how far the chain has to go', () => {
  expect(notYet(12, 11)).toContain('the chain is at 11, 1 block to go')
  expect(notYet(5_000, 11)).toContain('4,989 blocks to go')
})
