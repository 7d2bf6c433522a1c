import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { expectQuiet, includedTx, useBrowser, useDevnet } from './explorer-rig.ts'

const browser = useBrowser()
const devnet = useDevnet(['--tx-rate', '20'])

/** Height of a block with a transaction: in addresses it stands as FULL. */
let full = 0
beforeAll(async () => {
  full = (await includedTx(devnet.base, 'seen=by everybody')).height
})

/** Every page, and what shows that it has come. */
const pages: readonly (readonly [path: string, shows: string])[] = [
  ['/', '.blocks tbody tr'],
  ['/blocks/20', '.blocks tbody tr'],
  ['/block/FULL', '.transactions tbody tr'],
  ['/block/FULL/tx/0', '.bytes.text'],
  ['/peers', '.peer'],
  ['/availability', '.submissions tbody tr'],
  ['/submit', 'textarea'],
  ['/nowhere', '.note'],
]

async function ready(page: Page, path: string, shows: string): Promise<void> {
  await page.goto(`${devnet.base}${path.replace('FULL', String(full))}`)
  await page.locator(shows).first().waitFor()
  await page.getByRole('link', { name: 'Evolve, chain devnet' }).waitFor()
}

/** What an element that has the focus is called, and whether it can be seen that it has it. */
async function focused(page: Page): Promise<{ name: string; seen: boolean }> {
  return await page.evaluate(() => {
    const element = document.activeElement
    if (!(element instanceof HTMLElement)) return { name: '', seen: false }
    const drawn = (pseudo?: string) => {
      const { outlineStyle, outlineWidth } = getComputedStyle(element, pseudo)
      return outlineStyle !== 'none' && outlineWidth !== '0px'
    }
    const name = element.getAttribute('aria-label') ?? element.textContent ?? ''
    return { name: name.trim(), seen: drawn() || drawn('::after') }
  })
}

/** Relative luminance of colours, and the contrast between two. */
async function contrasts(page: Page, names: readonly string[], grounds: readonly string[]) {
  return await page.evaluate(
    ({ names: fronts, grounds: backs }) => {
      const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
      if (canvas === null) throw new Error('no canvas')
      const probe = document.createElement('span')
      document.body.append(probe)
      const luminance = (name: string): number => {
        probe.style.color = `var(${name})`
        canvas.fillStyle = getComputedStyle(probe).color
        canvas.fillRect(0, 0, 1, 1)
        const [r = 0, g = 0, b = 0] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
          const part = value / 255
          return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
        })
        return 0.2126 * r + 0.7152 * g + 0.0722 * b
      }
      const found = backs.flatMap((back) =>
        fronts.map((front) => {
          const [low = 0, high = 0] = [luminance(front), luminance(back)].toSorted((a, b) => a - b)
          return { pair: `${front} on ${back}`, contrast: (high + 0.05) / (low + 0.05) }
        }),
      )
      probe.remove()
      return found
    },
    { names, grounds },
  )
}

describe('in light and dark', () => {
  test.each(['light', 'dark'] as const)('%s follows the system, and can be read', async (scheme) => {
    const open = await browser.open(devnet.base, '/', { colorScheme: scheme })
    const { page } = open
    await page.locator('.blocks tbody tr').first().waitFor()
    const ground = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
    expect(ground).toBe(scheme === 'light' ? 'rgb(244, 241, 233)' : 'rgb(13, 19, 17)')
    const text = await contrasts(
      page,
      ['--ink', '--muted', '--accent', '--amber', '--bad'],
      ['--ground', '--card', '--raised'],
    )
    const rest = await contrasts(page, ['--on-accent'], ['--accent'])
    const alert = await contrasts(page, ['--bad'], ['--bad-ground'])
    const all = [...text, ...rest, ...alert]
    expect(all).toHaveLength(17)
    expect(all.filter(({ contrast }) => contrast < 4.5)).toEqual([])
    // Edges of what can be used.
    const edges = await contrasts(page, ['--strong-line', '--bar-final'], ['--card', '--ground'])
    expect(edges.filter(({ contrast }) => contrast < 3)).toEqual([])
    expectQuiet(open)
  })

  test('the switch is remembered', async () => {
    const open = await browser.open(devnet.base)
    const { page } = open
    const ground = async () => await page.evaluate(() => getComputedStyle(document.body).color)
    const light = await ground()
    await page.getByRole('button', { name: 'Dark colours' }).click()
    const dark = await ground()
    expect(dark).not.toBe(light)
    await page.reload()
    await page.getByRole('button', { name: 'Light colours' }).waitFor()
    expect(await ground()).toBe(dark)
    await page.getByRole('button', { name: 'Light colours' }).click()
    expect(await ground()).toBe(light)
    // Back to what the system says: it is followed again.
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.getByRole('button', { name: 'Light colours' }).waitFor()
    expect(await ground()).toBe(dark)
    expectQuiet(open)
  })
})

test.each([360, 768])('no page is wider than a screen of %i', async (width) => {
  const long = `long=${'w'.repeat(500)}`
  const { height, hash } = await includedTx(devnet.base, long)
  const open = await browser.open(devnet.base, '/', { viewport: { width, height: 740 }, hasTouch: true })
  const { page } = open
  for (const [path, shows] of [
    ...pages,
    [`/block/${height}`, '.transactions tbody tr'] as const,
    [`/tx/${hash}`, '.bytes.text'] as const,
  ]) {
    await ready(page, path, shows)
    const wider = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    )
    expect({ path, wider }).toEqual({ path, wider: 0 })
  }
  expectQuiet(open)
})

test('everything can be reached with the keyboard, and the focus is seen', async () => {
  const open = await browser.open(devnet.base)
  const { page } = open
  await ready(page, '/', '.blocks tbody tr')
  const walk: string[] = []
  for (let step = 0; step < 10; step++) {
    await page.keyboard.press('Tab')
    const { name, seen } = await focused(page)
    walk.push(name)
    expect({ name, seen }).toEqual({ name, seen: true })
  }
  expect(walk.slice(0, 9)).toEqual([
    'Skip to the content',
    'Evolve, chain devnet',
    'Chain',
    'Peers',
    'DA',
    'Submit',
    'Find a block or a transaction, by height or hash',
    'Find',
    'Dark colours',
  ])
  expect(walk[9]).toBe('Pause')
  // Into the list, which stands still now; along it with arrows; into a block; on to the next, and back.
  await page.keyboard.press('Tab')
  const { name: top } = await focused(page)
  expect(top).toMatch(/^[\d,]+$/)
  const at = Number(top.replaceAll(',', ''))
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowUp')
  expect(await focused(page)).toEqual({ name: (at - 1).toLocaleString('en-US'), seen: true })
  await page.keyboard.press('Enter')
  await page.waitForURL(`**/block/${at - 1}`)
  await page.getByText('State root').waitFor()
  expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('H1')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.waitForURL(`**/block/${at - 2}`)
  await page.getByText('State root').waitFor()
  // The focus stays where it was: one can go on.
  await page.keyboard.press('Enter')
  await page.waitForURL(`**/block/${at - 3}`)
  await page.getByText('State root').waitFor()
  expect((await focused(page)).name).toMatch(/^Previous block/)
  expectQuiet(open)
})

test('less motion is respected', async () => {
  const open = await browser.open(devnet.base, '/', { reducedMotion: 'reduce' })
  const { page } = open
  await ready(page, '/', '.blocks tbody tr')
  const moved = await page.evaluate(async () => {
    const list = document.querySelector('.blocks tbody')
    const place = document.querySelector('.great .figure-value')
    let seen = 0
    await new Promise<void>((resolve) => {
      let changes = 0
      const watch = new MutationObserver(() => {
        seen += document.getAnimations().length
        if (++changes < 12) return
        watch.disconnect()
        resolve()
      })
      for (const element of [list, place]) {
        if (element !== null) watch.observe(element, { childList: true, characterData: true, subtree: true })
      }
    })
    return seen
  })
  expect(moved).toBe(0)
  expectQuiet(open)
})

/** What a page says to those who do not see it, without what changes. */
async function said(page: Page): Promise<string> {
  const text = await page.locator('body').ariaSnapshot()
  return text.replaceAll(/[0-9a-f]{8}…[0-9a-f]{6}|[0-9a-f]{40,}/g, 'HASH').replaceAll(/\d[\d,.]*/g, 'N')
}

describe('those who do not see the page are told', () => {
  const frame = [
    '- link "Skip to the content"',
    '- banner:',
    '- link "Evolve, chain devnet"',
    '- navigation "Pages":',
    '- search:',
    '- textbox "Find a block or a transaction, by height or hash"',
    '- button "Dark colours"',
    '- main:',
  ]
  test.each([
    [
      '/',
      '.blocks tbody tr',
      [
        '- heading "Chain" [level=N]',
        '- region "Where the node stands":',
        '- term: Height',
        '- img "The last N blocks; N final; N transactions at most"',
        '- region "The last minutes":',
        '- figure',
        '- region "Latest blocks":',
        '- button "Pause"',
        '- columnheader "Height"',
        '- columnheader "DA"',
      ],
    ],
    [
      '/block/FULL',
      '.transactions tbody tr',
      [
        '- heading "Block N" [level=N]',
        '- navigation "Neighbouring blocks":',
        '- link "Previous block, N"',
        '- link "Next block, N"',
        '- term: State root',
        '- button "Copy header hash"',
        '- region "Transactions":',
        '- columnheader "Content"',
        '- link "Transaction N"',
      ],
    ],
    [
      '/block/FULL/tx/0',
      '.bytes.text',
      [
        '- heading "Transaction N of block N" [level=N]',
        '- button "Copy transaction hash"',
        '- region "Text":',
        '- region "Bytes":',
      ],
    ],
    [
      '/peers',
      '.peer',
      ['- heading "Peers" [level=N]', '- region "This node":', '- list "Connections":', '- term: Software'],
    ],
    [
      '/availability',
      '.submissions tbody tr',
      [
        '- heading "Data availability" [level=N]',
        '- term: DA node',
        '- button "Copy namespace of headers"',
        '- region "Recent submissions":',
        '- columnheader "Result"',
      ],
    ],
    [
      '/submit',
      'textarea',
      [
        '- heading "Submit a transaction" [level=N]',
        '- group "Written as":',
        '- radio "Text" [checked]',
        '- textbox "Transaction"',
        '- button "Submit"',
      ],
    ],
    [
      '/blocks/20',
      '.blocks tbody tr',
      ['- heading "Blocks from N" [level=N]', '- navigation "Pages of blocks":'],
    ],
    ['/nowhere', '.note', ['- heading "Nothing here" [level=N]']],
  ])('%s', async (path, shows, expected) => {
    const open = await browser.open(devnet.base)
    await ready(open.page, path, shows)
    const text = await said(open.page)
    expect([...frame, ...expected].filter((line) => !text.includes(line))).toEqual([])
    expectQuiet(open)
  })
})
