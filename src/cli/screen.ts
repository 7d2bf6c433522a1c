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
  /**
   * Replaces what was shown, as far as the terminal is high enough; lines must be narrower than `width`. Does nothing
   * when nobody watches.
   */
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
      // What has left the screen at its top can not be replaced.
      const fitting = lines.slice(0, Math.max((stream.rows ?? Infinity) - 1, 1))
      stream.write(`${up}\r\u001b[J${fitting.map((line) => `${line}\n`).join('')}`)
      shown = fitting.length
    },
    release() {
      shown = 0
    },
  }
}
