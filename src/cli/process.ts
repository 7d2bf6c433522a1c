import { systemEnv } from '../core/env.ts'
import { runProgram } from './program.ts'
import type { NodeFactory } from './start-node.ts'
import { createTerminal } from './terminal.ts'

const createNode: NodeFactory = async ({ config, executor, ...parts }) => {
  // Only here: help, version and what is wrong are told without loading the whole node first.
  const [{ fullNodeFromConfig }, { createKvExecutor }, { createTestappExecutor }] = await Promise.all([
    import('../node/from-config.ts'),
    import('../execution/kv-executor.ts'),
    import('../execution/testapp-executor.ts'),
  ])
  return fullNodeFromConfig(config, {
    ...parts,
    database: executor,
    executor: (kv) => (executor === 'testapp' ? createTestappExecutor({ kv }) : createKvExecutor({ kv })),
  })
}

/** Whoever reads our output may go away before its end: that is no failure. */
function passBrokenPipe(error: Error): void {
  if (!('code' in error) || error.code !== 'EPIPE') throw error
}

/** Runs the program in this process: its arguments, variables, streams and signals. Sets the exit code. */
export async function runProcess(): Promise<void> {
  const { env: variables, stderr, stdout } = process
  stdout.on('error', passBrokenPipe)
  stderr.on('error', passBrokenPipe)
  process.exitCode = await runProgram(process.argv.slice(2), {
    variables,
    print: (text) => stdout.write(`${text}\n`),
    terminal: createTerminal(stderr),
    color: stderr.isTTY && variables['NO_COLOR'] === undefined,
    env: systemEnv,
    signals: process,
    createNode,
  })
}
