/*
 * Standard error: lines that stay, and below them at most one live line that changes in place.
 */

/** Where a {@link Terminal} writes; `process.stderr` is one. */
export interface TerminalStream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

/** Lines and a live line that do not disturb each other. */
export interface Terminal {
  /** Whether somebody watches; without, the live line is never written. */
  readonly interactive: boolean
  /** Columns. */
  readonly width: number
  /** Writes text that ends with a line break. */
  write(text: string): void
  /** Puts `line` in the place of the live line; undefined removes it. It must be narrower than `width`. */
  live(line: string | undefined): void
}

const CLEAR = '\r\u001b[2K'

/** Makes a {@link Terminal}. */
export function createTerminal(stream: TerminalStream): Terminal {
  const interactive = stream.isTTY === true
  let shown: string | undefined
  return {
    interactive,
    get width() {
      return stream.columns ?? 80
    },
    write(text) {
      stream.write(shown === undefined ? text : `${CLEAR}${text}${shown}`)
    },
    live(line) {
      if (!interactive || line === shown) return
      stream.write(`${CLEAR}${line ?? ''}`)
      shown = line
    },
  }
}
