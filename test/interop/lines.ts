/* What a peer of ours says and takes: the other end of peer-process.ts. */
import { createInterface } from 'node:readline'
import { z } from 'zod'
import type { FullNode } from '../../src/node/full-node.ts'
import { dataHash } from '../../src/types/data.ts'
import { headerHash } from '../../src/types/header.ts'
import { toHex } from '../../src/util/bytes.ts'

const commandShape = z.object({ id: z.number(), command: z.string(), txs: z.array(z.string()).default([]) })

/** A command that was given. */
export type Command = z.infer<typeof commandShape>

/** Says one thing. */
export function emit(event: string, members: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ event, ...members })}\n`)
}

/** Answers commands until standard input ends. */
export async function serve(answer: (command: Command) => void): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const command = commandShape.parse(JSON.parse(line))
    try {
      answer(command)
      emit('reply', { id: command.id })
    } catch (error) {
      emit('reply', { id: command.id, error: String(error) })
    }
  }
}

/** Tells of every block that a node has executed and will execute; rejects when its store cannot be read. */
export async function tellBlocks(
  { blocks, onBlock }: Pick<FullNode, 'blocks' | 'onBlock'>,
  initialHeight: number,
): Promise<never> {
  let wake = Promise.withResolvers<void>()
  onBlock(() => wake.resolve())
  for (let next = initialHeight; ; ) {
    wake = Promise.withResolvers<void>()
    for (const top = await blocks.height(); next <= top; next++) {
      const [block, state] = await Promise.all([blocks.block(next), blocks.stateAt(next)])
      if (block === undefined || state === undefined) throw new Error(`no block ${next} of ${top}`)
      emit('block', {
        height: next,
        hash: toHex(headerHash(block.header.header)),
        dataHash: toHex(dataHash(block.data)),
        appHash: toHex(block.header.header.appHash),
        stateRoot: toHex(state.appHash),
        txs: block.data.txs.length,
      })
    }
    await wake.promise
  }
}
