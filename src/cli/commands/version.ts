import type { Command } from 'commander'
import type { CliContext } from '../context.ts'
import { versionInfo } from '../version-info.ts'

/** Adds `evolve version`. */
export function addVersion(program: Command, context: CliContext): void {
  program
    .command('version')
    .description('tell the version of this program, of Node, and the commit')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExamples:\n  evolve version\n  evolve version --json')
    .action(async ({ json }: { json?: true }) => {
      const { name, version, node, commit } = await versionInfo()
      if (json === true) context.print(JSON.stringify({ name, version, node, commit }))
      else context.print(`${name} ${version}\nnode ${node}${commit === null ? '' : `\ncommit ${commit}`}`)
    })
}
