import { runProgram } from '../../src/cli/program.ts'
import type { CliContext } from '../../src/cli/context.ts'
import { createTerminal } from '../../src/cli/terminal.ts'
import { systemEnv } from '../../src/core/env.ts'
import { EvolveError } from '../../src/util/errors.ts'

/** What a command did. */
export interface CliOutcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** The world of a command in a test. */
export interface CliWorld extends Partial<CliContext> {
  /** Standard input, in pieces. */
  readonly stdin?: readonly (string | Uint8Array)[]
}

/** A world in which nothing watches, nobody answers, and what would run a node or a network fails. */
export function cliContext(world: CliWorld = {}): CliContext {
  const { stdin = [], ...context } = world
  const refuse = (): never => {
    throw new EvolveError('NOT_IN_TESTS', 'nothing runs here')
  }
  async function* input(): AsyncGenerator<string | Uint8Array> {
    yield* stdin
  }
  return {
    variables: {},
    print: () => undefined,
    terminal: createTerminal({ write: () => undefined }),
    color: false,
    outputIsTerminal: false,
    outputGone: new AbortController().signal,
    console: { interactive: false, input, ask: async () => undefined },
    env: systemEnv,
    signals: { on: () => undefined, off: () => undefined, exit: () => undefined },
    createNode: refuse,
    createLocalDa: refuse,
    screen: { interactive: false, width: 80, show: () => undefined, release: () => undefined },
    devnetTools: refuse,
    ...context,
  }
}

/**
 * Runs the program in this process as if it were a process of its own, in the world of {@link cliContext}.
 */
export async function runCli(parameters: readonly string[], world: CliWorld = {}): Promise<CliOutcome> {
  const [out, err]: [string[], string[]] = [[], []]
  const code = await runProgram(
    parameters,
    cliContext({
      print: (text) => out.push(`${text}\n`),
      terminal: createTerminal({ write: (text) => err.push(text) }),
      ...world,
    }),
  )
  return { code, stdout: out.join(''), stderr: err.join('') }
}
