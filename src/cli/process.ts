/*
 * The program as this process runs it.
 */
import { systemEnv } from '../core/env.ts'
import type { CliContext } from './context.ts'
import { exitCodeOf, explain } from './exit.ts'
import { runProgram } from './program.ts'
import type { NodeFactory } from './start-node.ts'
import { createTerminal } from './terminal.ts'

/** Makes the real node; loaded only by those commands that run one. */
const createNode: NodeFactory = async (parts) => {
  const { createHomeNode } = await import('../node/home-node.ts')
  return createHomeNode(parts)
}

/**
 * Runs the program with this process's arguments, variables and streams, and sets its exit code. The process ends
 * when nothing is left to do.
 */
export async function runProcess(): Promise<void> {
  // Whoever reads our output may go away first; that is no reason to crash.
  process.stdout.on('error', ignoreBrokenPipe)
  process.stderr.on('error', ignoreBrokenPipe)
  const terminal = createTerminal(process.stderr)
  const context: CliContext = {
    variables: process.env,
    print: (text) => void process.stdout.write(text),
    terminal,
    color: terminal.interactive && (process.env['NO_COLOR'] ?? '') === '',
    env: systemEnv,
    signals: process,
    createNode,
  }
  try {
    process.exitCode = await runProgram(context, process.argv.slice(2))
  } catch (error) {
    const text = explain(error)
    if (text !== undefined) terminal.write(`${text}\n`)
    process.exitCode = exitCodeOf(error)
  }
}

function ignoreBrokenPipe(error: Error): void {
  if (!('code' in error) || error.code !== 'EPIPE') throw error
}
