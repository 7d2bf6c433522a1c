import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatState, parseState, settle, thaw } from './state-json.ts'

test.for([
  [null, 'null'],
  [true, 'true'],
  [-0, '0'],
  [1e21, '1e+21'],
  [0.1, '0.1'],
  [12n, '{"$bigint":"12"}'],
  [-(2n ** 70n), '{"$bigint":"-1180591620717411303424"}'],
  ['ä€😀"\n', '"ä€😀\\"\\n"'],
  [[1, [], {}], '[1,[],{}]'],
  [{ b: 1, a: { d: 2n, c: null } }, '{"a":{"c":null,"d":{"$bigint":"2"}},"b":1}'],
  // Order by UTF-16 units, also for names that engines would show first.
  [{ '10': 1, '9': 2, é: 3, z: 4, '': 5 }, '{"":5,"10":1,"9":2,"z":4,"é":3}'],
  [JSON.parse('{"__proto__":1,"constructor":2}'), '{"__proto__":1,"constructor":2}'],
])('%o is written %s', ([state, text]) => {
  expect(formatState(state)).toBe(text)
})

class Account {
  readonly balance = 1
}
const circle: Record<string, unknown> = {}
circle['self'] = circle

test.for([
  [undefined, 'the state is undefined'],
  [Number.NaN, 'the state is NaN'],
  [{ a: [1, Infinity] }, 'the state at a[1] is Infinity'],
  [{ a: { b: undefined } }, 'the state at a.b is undefined'],
  [Array(2), 'the state at [0] is undefined'],
  [{ f: () => 1 }, 'the state at f is a function'],
  [Symbol('s'), 'the state is a symbol'],
  [{ when: new Date(0) }, 'the state at when is an instance of Date'],
  [new Map(), 'the state is an instance of Map'],
  [Uint8Array.of(1), 'the state is an instance of Uint8Array'],
  [Promise.resolve(), 'the state is an instance of Promise'],
  [{ account: new Account() }, 'the state at account is an instance of Account'],
  [{ [Symbol('s')]: 1 }, 'the state is an object that is not plain'],
  ['\ud800', 'the state is a text with half a character'],
  [{ '\udc00': 1 }, 'half a character'],
  [{ a: { $bigint: '1' } }, 'the state at a.$bigint has a name that stands for big numbers'],
  [circle, 'levels, or a circle'],
] as const)('%o is refused', ([state, message]) => {
  expect(() => settle(state)).toThrow(expect.objectContaining({ code: 'INVALID_STATE' }))
  expect(() => formatState(state)).toThrow(message)
})

test('a settled state cannot be changed, has no names that nobody put there, and parts of it are taken as they are', () => {
  const before = settle({ users: { ada: { balance: 5n } }, list: [1, 2] })
  expect(() => Reflect.set(before.users.ada, 'balance', 6n)).not.toThrow()
  expect(before.users.ada.balance).toBe(5n)
  expect(Reflect.get(before.users, 'constructor')).toBeUndefined()
  const after = settle({ ...before, count: 1 })
  expect(after.users).toBe(before.users)
  expect(settle(after)).toBe(after)
})

test('a copy is whoever asked for it', () => {
  const state = settle({ list: [{ a: 1n }] })
  const copy = thaw<{ list: { a: bigint }[] }>(state)
  copy.list.push({ a: 2n })
  expect(copy).toStrictEqual({ list: [{ a: 1n }, { a: 2n }] })
  expect(state.list).toHaveLength(1)
})

const arbitraryState = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, false),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.bigInt(),
    fc.string({ unit: 'grapheme' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(
      fc
        .oneof(fc.string(), fc.constantFrom('1', '02', '10', '__proto__', 'toString'))
        .filter((name) => name !== '$bigint'),
      tie('value'),
      { maxKeys: 5 },
    ),
  ),
})).value

/** The same with every object's names in the reverse order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, one]) => [name, turned(one)]),
  )
}

test('what is written is read back as the same, whatever the order of names, and walked in the same order', () => {
  fc.assert(
    fc.property(arbitraryState, (state) => {
      const text = formatState(state)
      const again = parseState(text)
      expect(formatState(again)).toBe(text)
      expect(formatState(turned(state))).toBe(text)
      // What a transaction sees does not tell whether the node was restarted since.
      const walk = (value: unknown): string =>
        JSON.stringify(value, (_name, one: unknown) => (typeof one === 'bigint' ? `${one}n` : one))
      expect(walk(again)).toBe(walk(settle(turned(state))))
    }),
  )
})
