import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../util/bytes.ts'
import { createListScanner, type ListLimits } from './list-scanner.ts'

const LIMITS: ListLimits = { maxElementBytes: 1_000_000, maxRestBytes: 1_000_000 }

/** What comes out of a body that is cut into pieces of these lengths, again and again. */
function scan(body: Uint8Array, cuts: readonly number[] = [], limits: ListLimits = LIMITS) {
  const elements: unknown[] = []
  let skipped = 0
  let held = 0
  const scanner = createListScanner(
    {
      element: (value) => elements.push(value),
      skipped: () => skipped++,
    },
    limits,
  )
  let verdict: string = 'more'
  let at = 0
  for (let turn = 0; at < body.length; turn++) {
    const length = cuts.length === 0 ? body.length : (cuts[turn % cuts.length] ?? 1)
    verdict = scanner.push(body.subarray(at, at + length))
    held = Math.max(held, scanner.held)
    at += length
  }
  return { verdict, rest: scanner.rest(), elements, skipped, held }
}

function parse(text: string | undefined): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text ?? '') }
  } catch {
    return undefined
  }
}

/** The body as the scanner understands it, put together again; undefined when it is not JSON. */
function understood(body: Uint8Array, cuts: readonly number[]): { readonly value: unknown } | undefined {
  const { rest, elements } = scan(body, cuts)
  const parsed = parse(rest)
  if (parsed === undefined || elements.length === 0) return parsed
  expect(parsed.value).toMatchObject({ result: [] })
  return { value: Object.assign(Object(parsed.value), { result: elements }) }
}

function strictText(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch {
    return undefined
  }
}

const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/)

/** A value as text, in any of the ways in which JSON can be written. */
function written(value: unknown): fc.Arbitrary<string> {
  return fc
    .tuple(space, fc.constantFrom(undefined, 1, '\t'), fc.boolean(), space)
    .map(([before, indent, escape, after]) => {
      const text = JSON.stringify(value, undefined, indent)
      const escaped = text.replaceAll(
        /[a-z](?=[^"]*"[^"]*$)/g,
        (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
      )
      return before + (escape && parse(escaped) !== undefined ? escaped : text) + after
    })
}

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('\\', '"', '\\"', '[', ']', '{}', 'result', '"result":[', '\u2028', '\uFEFF', 'ü', '😀'),
)
const anyJson = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  anyText,
  fc.dictionary(anyText, anyText, { maxKeys: 3 }),
  fc.array(anyText, { maxLength: 3 }),
)
const anyList = fc.array(anyJson, { maxLength: 6 })

/** Text of an answer: its fields in any order, its result a list more often than not. */
const answer = fc
  .tuple(
    fc.oneof({ weight: 4, arbitrary: anyList }, { weight: 1, arbitrary: anyJson }),
    fc.dictionary(fc.oneof(anyText, fc.constantFrom('id', 'jsonrpc', 'error', 'Result')), anyJson, {
      maxKeys: 3,
    }),
    fc.nat(),
  )
  .chain(([result, others, place]) => {
    const fields = Object.entries(others).filter(([name]) => name !== 'result')
    fields.splice(place % (fields.length + 1), 0, ['result', result])
    return fc.tuple(
      space,
      fc.tuple(...fields.map(([name, value]) => fc.tuple(written(name), written(value)))),
      space,
    )
  })
  .map(([before, fields, after]) => {
    return `${before}{${fields.map(([name, value]) => `${name}:${value}`).join(',')}}${after}`
  })

const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 })

describe('a body', () => {
  test('means what JSON.parse makes of it, however it is written and cut', () => {
    fc.assert(
      fc.property(answer, cuts, (text, lengths) => {
        expect(understood(utf8(text), lengths)).toEqual(parse(text))
      }),
      { numRuns: 2_000 },
    )
  })

  test('that is not JSON is not taken for JSON, and one that still is means the same', () => {
    const mutation = fc.record({
      at: fc.nat(),
      remove: fc.integer({ min: 0, max: 3 }),
      put: fc.oneof(
        fc.uint8Array({ maxLength: 2 }),
        fc.constantFrom(...['"', '\\', ',', ':', '[', ']', '{', '}', ' ', '[]', '0'].map(utf8)),
      ),
    })
    let broken = 0
    fc.assert(
      fc.property(
        answer,
        fc.array(mutation, { minLength: 1, maxLength: 2 }),
        cuts,
        (text, changes, lengths) => {
          let body = utf8(text)
          for (const { at, remove, put } of changes) {
            const from = at % (body.length + 1)
            body = Uint8Array.from([...body.subarray(0, from), ...put, ...body.subarray(from + remove)])
          }
          const expected = parse(strictText(body))
          if (expected === undefined) broken++
          if (scan(body, lengths).verdict === 'malformed' && expected !== undefined) {
            // JSON.parse takes the last of two results.
            const strings = strictText(body)?.match(/"(?:[^"\\]|\\.)*"/g) ?? []
            expect(strings.filter((one) => JSON.parse(one) === 'result').length).toBeGreaterThan(1)
          } else {
            expect(understood(body, lengths)).toEqual(expected)
          }
        },
      ),
      { numRuns: 3_000 },
    )
    expect(broken).toBeGreaterThan(1_000)
  })

  test('of random bytes is no trouble', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), cuts, (body, lengths) => {
        expect(understood(body, lengths)).toEqual(parse(strictText(body)))
      }),
    )
  })

  test.each([
    ['{"result":[1,2],"result":[3]}'],
    ['{"result":[1],"result":null}'],
    ['{"result":[1],"re\\u0073ult":[2]}'],
    ['{"result":[1,]}'],
    ['{"result":[,1]}'],
    ['{"result":[1,,2]}'],
    ['{"result":[,]}'],
    ['{"result":[1}]}'],
    ['{"result":[1}2]}'],
    ['{"result":[{]}]}'],
    ['{"result":[1 2]}'],
    ['{"result":["\n"]}'],
  ])('%s is refused', (text) => {
    for (const length of [1, 3, 100]) {
      const { rest, verdict } = scan(utf8(text), [length])
      expect([verdict, rest]).toEqual(['malformed', undefined])
    }
  })

  test.each([
    ['{"result":[1],"id":1', '{"result":[],"id":1'],
    ['{"result":[1', '{"result":['],
    ['{"other":{"result":[1]}}', '{"other":{"result":[1]}}'],
    ['["result",[1]]', '["result",[1]]'],
    ['{"a":"result","b":[1]}', '{"a":"result","b":[1]}'],
    ['{"\\u0072esult" : [1]}', '{"\\u0072esult" : []}'],
    ['{"result":{"result":[1]}}', '{"result":{"result":[1]}}'],
    ['{"result":null}', '{"result":null}'],
    ['<html>', '<html>'],
    ['', ''],
  ])('%j leaves %j', (text, rest) => {
    for (const length of [1, 3, 100]) expect(scan(utf8(text), [length]).rest).toBe(rest)
  })
})

describe('bounds', () => {
  const list = (...elements: readonly unknown[]): Uint8Array =>
    utf8(JSON.stringify({ id: 1, result: elements, jsonrpc: '2.0' }))

  test('an element above the limit is skipped, its neighbours are not', () => {
    const limits = { ...LIMITS, maxElementBytes: 20 }
    const large = { text: '[",]}\\"'.repeat(40) }
    for (const length of [1, 7, 10_000]) {
      const { elements, skipped, held, rest } = scan(
        list(large, 1, large, 'x'.repeat(18), 2),
        [length],
        limits,
      )
      expect(elements).toEqual([1, 'x'.repeat(18), 2])
      expect(skipped).toBe(2)
      expect(held).toBeLessThan(80)
      expect(rest).toBe('{"id":1,"result":[],"jsonrpc":"2.0"}')
    }
  })

  test('what stands around the list, or in its place, is refused above the limit', () => {
    const limits = { ...LIMITS, maxRestBytes: 100 }
    const long = 'x'.repeat(200)
    for (const value of [
      { result: [], error: long },
      { [long]: 1 },
      { result: long },
      long,
      { result: { a: [long] } },
    ]) {
      expect(scan(utf8(JSON.stringify(value)), [64], limits).verdict).toBe('too-large')
    }
    expect(scan(list(long, long), [64], limits)).toMatchObject({ verdict: 'more', elements: [long, long] })
  })

  test('of a long list never more is held than one element', () => {
    const elements = Array.from({ length: 2_000 }, (_, index) => ({ index, data: 'A'.repeat(index % 300) }))
    const { held, elements: found } = scan(list(...elements), [977])
    expect(found).toEqual(elements)
    expect(held).toBeLessThan(1_000)
  })
})
