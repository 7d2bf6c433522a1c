import type { Block } from '../../rpc/client/index.ts'
import { validatePair } from '../../types/validate.ts'
import { toHex } from '../../util/bytes.ts'
import { describeError, EvolveError } from '../../util/errors.ts'
import { describeDataMessage, describeHeaderMessage, type Description } from './describe.ts'

/** What is wrong between the halves of a block; undefined when they belong together. */
function pairProblem({ header, data }: Block): string | undefined {
  try {
    validatePair(header, data)
    return undefined
  } catch (error) {
    if (error instanceof EvolveError) return describeError(error)
    throw error
  }
}

/** Describes a block of a node: both halves, whether they belong together, and where it lies on DA. */
export function describeBlock(block: Block): Description {
  const { summary, header, data } = block
  const first = describeHeaderMessage({ type: 'SignedHeader', header })
  const second = describeDataMessage({ type: 'Data', data })
  const wrong = pairProblem(block)
  const { final, headerDaHeight, dataDaHeight, stateRoot } = summary
  const where =
    dataDaHeight === undefined || dataDaHeight === headerDaHeight
      ? `at DA height ${headerDaHeight}`
      : `header at DA height ${headerDaHeight}, data at ${dataDaHeight}`
  const told = new Set(first.lines.map(([label]) => label))
  return {
    fields: {
      height: summary.height,
      final,
      header_da_height: headerDaHeight ?? null,
      data_da_height: dataDaHeight ?? null,
      state_root: toHex(stateRoot),
      header: first.fields,
      data: second.fields,
    },
    lines: [
      ...first.lines,
      ['state after', stateRoot.length === 0 ? 'not known' : toHex(stateRoot)],
      ['final', final ? where : 'not yet'],
      ['data', wrong === undefined ? 'belongs to the header' : `WRONG: ${wrong}`],
      ...second.lines
        .filter(([label]) => !told.has(label) || label === 'hash')
        .map(([label, value]): readonly [string, string] => [
          label === 'hash' ? 'data itself' : label,
          value,
        ]),
    ],
    problems: [...first.problems, ...second.problems, ...(wrong === undefined ? [] : [wrong])],
  }
}
