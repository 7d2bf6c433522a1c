import type { CliContext } from '../context.ts'
import { versionInfo } from '../version-info.ts'

/** Prints what runs, as text or as JSON. */
export async function version(context: CliContext, { json }: { readonly json: boolean }): Promise<void> {
  const info = await versionInfo()
  if (json) {
    context.print(`${JSON.stringify(info)}\n`)
    return
  }
  const commit = info.commit === null ? '' : `, commit ${info.commit.slice(0, 12)}`
  context.print(`${info.name} ${info.version} (Node ${info.node}${commit})\n`)
}
