import { systemEnv } from '../core/env.ts'
import { createKvExecutor } from '../execution/kv-executor.ts'
import { createTestappExecutor } from '../execution/testapp-executor.ts'
import { fullNodeFromConfig } from '../node/from-config.ts'
import { runProgram } from './program.ts'
import type { NodeFactory } from './start-node.ts'
import { createTerminal } from './terminal.ts'

const createNode: NodeFactory = ({ config, executor, ...parts }) =>
  fullNodeFromConfig(config, {
    ...parts,
    database: executor,
    executor: (kv) => (executor === 'testapp' ? createTestappExecutor({ kv }) : createKvExecutor({ kv })),
  })

/** Runs the program in this process: its arguments, variables, streams and signals. Sets the exit code. */
export async function runProcess(): Promise<void> {
  const { env: variables, stderr, stdout } = process
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
