/*
 * Standard input, and questions to whoever sits at the terminal.
 */
import { createInterface } from 'node:readline/promises'
import type { Readable, Writable } from 'node:stream'
import { EvolveError } from '../util/errors.ts'

/** What was typed, or piped in. */
export interface Console {
  /** Whether somebody sits there who can answer: input and standard error are a terminal. */
  readonly interactive: boolean
  /** Standard input as it comes. */
  input(): AsyncIterable<unknown>
  /**
   * Asks a question and gives the line that was typed; undefined when nobody is there to answer, or input ended.
   * Rejects with the signal's reason.
   */
  ask(question: string, options?: { readonly signal?: AbortSignal }): Promise<string | undefined>
}

/** Makes the {@link Console} of a process. `stdin` is asked for only where it is used: to look at it opens it. */
export function createConsole(
  stdin: () => Readable & { readonly isTTY?: boolean },
  stderr: Writable & { readonly isTTY?: boolean },
): Console {
  return {
    get interactive() {
      return stderr.isTTY === true && stdin().isTTY === true
    },
    input: stdin,
    async ask(question, { signal } = {}) {
      if (!this.interactive) return undefined
      const lines = createInterface({ input: stdin(), output: stderr, terminal: false })
      const { promise: ended, resolve } = Promise.withResolvers<undefined>()
      lines.once('close', () => resolve(undefined))
      try {
        const answer = lines.question(question, signal === undefined ? {} : { signal })
        return await Promise.race([answer, ended])
      } finally {
        lines.close()
      }
    },
  }
}

/**
 * Goes on only after a yes. Rejects with `USAGE` after anything else, and when nobody can be asked: then `otherwise`
 * says how to do without the question.
 */
export async function confirm(
  console: Pick<Console, 'interactive' | 'ask'>,
  question: string,
  otherwise: string,
): Promise<void> {
  if (!console.interactive)
    throw new EvolveError('USAGE', `nobody is here to answer a question: ${otherwise}`)
  const answer = await console.ask(`${question} [y/N] `)
  if (!/^y(?:es)?$/i.test(answer?.trim() ?? '')) throw new EvolveError('USAGE', 'nothing was done')
}

/** Said to whoever is to type what a command reads. */
export const TYPING = 'reading standard input; Ctrl-D ends it\n'

/** All of standard input. Rejects with `USAGE` when it is more than `most` bytes. */
export async function readAll(input: AsyncIterable<unknown>, most: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of input) {
    const bytes = piece instanceof Uint8Array ? piece : Buffer.from(String(piece))
    length += bytes.length
    if (length > most)
      throw new EvolveError('USAGE', `standard input holds more than ${most} bytes, the most that is read`)
    pieces.push(bytes)
  }
  return new Uint8Array(Buffer.concat(pieces))
}
