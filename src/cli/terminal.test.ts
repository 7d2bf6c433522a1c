import { expect, test } from 'vitest'
import { createTerminal } from './terminal.ts'

function setUp(isTTY: boolean) {
  const written: string[] = []
  const terminal = createTerminal({ write: (text) => written.push(text), isTTY, columns: 40 })
  return { terminal, written }
}

const CLEAR = '\r\u001b[2K'

test('lines go above the live line, which stays', () => {
  const { terminal, written } = setUp(true)
  terminal.write('one\n')
  terminal.live('10 %')
  terminal.write('two\n')
  terminal.live('10 %')
  terminal.live('20 %')
  terminal.live(undefined)
  terminal.live(undefined)
  terminal.write('three\n')
  expect(written).toEqual(['one\n', `${CLEAR}10 %`, `${CLEAR}two\n10 %`, `${CLEAR}20 %`, CLEAR, 'three\n'])
})

test('where nobody watches there is no live line', () => {
  const { terminal, written } = setUp(false)
  terminal.live('10 %')
  terminal.write('one\n')
  expect(written).toEqual(['one\n'])
})
