import { expect, test } from 'vitest'
import { createScreen } from './screen.ts'
import type { TerminalStream } from './terminal.ts'

function setUp(stream: Omit<TerminalStream, 'write'>) {
  const written: string[] = []
  const screen = createScreen({ ...stream, write: (text) => written.push(text) })
  return { screen, written }
}

test('a picture takes the place of the one before, whatever its height', () => {
  const { screen, written } = setUp({ isTTY: true, columns: 40 })
  expect(screen).toMatchObject({ interactive: true, width: 40 })
  screen.show(['one', 'two'])
  screen.show(['three'])
  screen.show(['four', 'five'])
  expect(written).toEqual([
    '\r\u001b[Jone\ntwo\n',
    '\u001b[2A\r\u001b[Jthree\n',
    '\u001b[1A\r\u001b[Jfour\nfive\n',
  ])
})

test('a picture that was let go stays, and the next comes below it', () => {
  const { screen, written } = setUp({ isTTY: true })
  screen.show(['one'])
  screen.release()
  screen.release()
  screen.show(['two'])
  expect(written.join('')).toBe('\r\u001b[Jone\n\r\u001b[Jtwo\n')
})

test('shows no more lines than the terminal can take back', () => {
  const { screen, written } = setUp({ isTTY: true, rows: 3 })
  screen.show(['one', 'two', 'three', 'four'])
  screen.show(['five'])
  expect(written).toEqual(['\r\u001b[Jone\ntwo\n', '\u001b[2A\r\u001b[Jfive\n'])
})

test('where nobody watches nothing is written', () => {
  const { screen, written } = setUp({})
  screen.show(['one'])
  expect(screen).toMatchObject({ interactive: false, width: 80 })
  expect(written).toEqual([])
})
