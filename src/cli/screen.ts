/*
 * A block of lines on a terminal that changes in place.
 */
import type { TerminalStream } from './terminal.ts'

/** Shows lines in place. */
export interface Screen {
  /** Whether somebody watches. */
  readonly interactive: boolean
  /** Columns. */
  readonly width: number
  /** Replaces what was shown; lines must be narrower than `width`. Does nothing when nobody watches. */
  show(lines: readonly string[]): void
  /** Leaves what is shown; the next goes below it. */
  release(): void
}

/** Makes a {@link Screen}. */
export function createScreen(stream: TerminalStream): Screen {
  let shown = 0
  return {
    interactive: stream.isTTY === true,
    get width() {
      return stream.columns ?? 80
    },
    show(lines) {
      if (stream.isTTY !== true) return
      const up = shown === 0 ? '' : `\u001b[${shown}A`
      stream.write(`${up}\r\u001b[J${lines.map((line) => `${line}\n`).join('')}`)
      shown = lines.length
    },
    release() {
      shown = 0
    },
  }
}
