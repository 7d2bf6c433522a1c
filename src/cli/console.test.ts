import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { confirm, createConsole, readAll } from './console.ts'

function setUp(terminal: boolean) {
  const stdin = Object.assign(new PassThrough(), { isTTY: terminal })
  const stderr = Object.assign(new PassThrough(), { isTTY: terminal })
  return { stdin, console: createConsole(() => stdin, stderr), shown: () => String(stderr.read() ?? '') }
}

describe('a question', () => {
  test('is shown and answered by a line', async () => {
    const { stdin, console, shown } = setUp(true)
    const answer = console.ask('name? ')
    stdin.write('Ada\n')
    expect(await answer).toBe('Ada')
    expect(shown()).toBe('name? ')
  })

  test('is not asked where nobody can answer', async () => {
    const { console, shown } = setUp(false)
    expect(await console.ask('name? ')).toBeUndefined()
    expect(shown()).toBe('')
  })

  test('has no answer when input ends', async () => {
    const { stdin, console } = setUp(true)
    const answer = console.ask('name? ')
    stdin.end()
    expect(await answer).toBeUndefined()
  })

  test('ends with its signal', async () => {
    const { console } = setUp(true)
    const controller = new AbortController()
    const answer = console.ask('name? ', { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(answer).rejects.toMatchObject({ name: 'AbortError' })
  })
})

describe('a confirmation', () => {
  test.each(['y\n', 'YES\n', ' yes \n'])('is given by %j', async (typed) => {
    const { stdin, console } = setUp(true)
    const asked = confirm(console, 'really?', 'give --force')
    stdin.write(typed)
    await asked
  })

  test.each(['\n', 'n\n', 'yup\n', 'no yes\n'])('is not given by %j', async (typed) => {
    const { stdin, console } = setUp(true)
    const asked = confirm(console, 'really?', 'give --force')
    stdin.write(typed)
    await expect(asked).rejects.toThrow('nothing was done')
  })

  test('of nobody is refused with the way to do without', async () => {
    await expect(confirm(setUp(false).console, 'really?', 'give --force')).rejects.toThrow('give --force')
  })
})

describe('standard input', () => {
  test('is read whole, bytes and text', async () => {
    async function* input() {
      yield 'ab'
      yield Uint8Array.of(0xff, 0x00)
    }
    expect(await readAll(input(), 4)).toEqual(Uint8Array.of(0x61, 0x62, 0xff, 0x00))
    await expect(readAll(input(), 3)).rejects.toThrow('more than 3 bytes')
  })
})
