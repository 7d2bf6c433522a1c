import { Argument, type Command } from 'commander'
import { keyAt } from '../../config/keys.ts'
import type { CliContext } from '../context.ts'
import { addRpcOption, askNode } from '../node-client.ts'

const EXAMPLES = `
The node does this for its own machine only. The level holds until the node stops; log.level of the configuration
is what it begins with.

Examples:
  evolve log-level --home ~/my-chain
  evolve log-level debug
  evolve log-level info --rpc http://127.0.0.1:7331 --json

Exit codes: 0 told or changed, 1 the node does not answer or does not let you, 2 something given is wrong.`

/** Adds `evolve log-level`. */
export function addLogLevel(program: Command, context: CliContext): void {
  const command = program
    .command('log-level')
    .description('tell how much a running node logs, or change it')
    .addArgument(new Argument('[level]', 'the new level').choices(keyAt('log.level')?.allowed ?? []))
    .option('--json', 'as JSON')
  addRpcOption(command)
    .addHelpText('after', EXAMPLES)
    .action(async (level: string | undefined, _options: unknown, self: Command) => {
      const { json } = self.optsWithGlobals<{ readonly json?: true }>()
      const tell = (fields: Readonly<Record<string, string>>, line: string): void => {
        context.print(json === true ? JSON.stringify(fields) : line)
      }
      await askNode(context, self, async (client) => {
        if (level === undefined) {
          const now = await client.logLevel()
          tell({ level: now }, now)
          return
        }
        const previous = await client.setLogLevel(level)
        tell({ level, previous }, previous === level ? `${level} already` : `${level}, before ${previous}`)
      })
    })
}
