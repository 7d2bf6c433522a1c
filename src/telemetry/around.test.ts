import { describe, expect, test } from 'vitest'
import { around } from './around.ts'

interface Named {
  name: string
  say?: () => string
}

interface Counter {
  add(by: number): number
  reset?(): void
  readonly total: number
}

class PrivateCounter implements Counter {
  #total = 0
  add(by: number): number {
    this.#total += by
    return this.#total
  }
  get total(): number {
    return this.#total
  }
}

describe('around', () => {
  test('stands around a method, with the value itself behind it', () => {
    const calls: number[] = []
    const counter = around<Counter, Counter>(new PrivateCounter(), {
      add: (inner) => (by) => {
        calls.push(by)
        return inner(by)
      },
    })
    expect(counter.add(2)).toBe(2)
    expect(counter.add(3)).toBe(5)
    expect(counter.total).toBe(5)
    expect(calls).toEqual([2, 3])
    expect(Reflect.get(counter, 'add')).toBe(Reflect.get(counter, 'add'))
    expect(counter).toBeInstanceOf(PrivateCounter)
  })

  test('adds no method that is not there, also when it is named', () => {
    const counter = around<Counter, Counter>(new PrivateCounter(), { reset: (inner) => () => inner() })
    expect(Reflect.get(counter, 'reset')).toBeUndefined()
    expect('reset' in counter).toBe(false)
  })

  test('shows what is added and changed later', () => {
    const value: Named = { name: 'one' }
    const seen = around<Named, Named>(value, { say: (inner) => () => `${inner()}!` })
    value.say = () => value.name
    expect(seen.say?.()).toBe('one!')
    seen.name = 'two'
    expect(value.name).toBe('two')
    expect(seen.say?.()).toBe('two!')
  })

  test('can be spread, listed and frozen as the value can', () => {
    const value = Object.freeze({ depth: 3, half: (of: number) => of / 2 })
    const seen = around<typeof value, typeof value>(value, { half: (inner) => (of) => inner(of) + 1 })
    expect(Object.keys(seen)).toEqual(['depth', 'half'])
    expect({ ...seen }.half(4)).toBe(3)
    expect({ ...seen }.depth).toBe(3)
  })
})
