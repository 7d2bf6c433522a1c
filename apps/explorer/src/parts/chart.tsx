import { useEffect, useRef } from 'preact/hooks'
import type Plot from 'uplot'
import { type History, HISTORY_SECONDS } from '../live/history.ts'
import { theme } from '../theme.ts'
import { useValue } from '../value.ts'

/** Pixels. */
const HEIGHT = 132
/** Charts with this name move their cursors together. */
const TOGETHER = 'history'
const FONT = '11px system-ui, sans-serif'

interface ChartProps {
  readonly title: string
  /** What is counted, for the sentence that says what the chart shows. */
  readonly unit: string
  readonly times: History['times']
  readonly values: readonly (number | null)[]
  readonly format: (value: number) => string
}

/** What draws comes after the page; where it cannot run, the figures are there without lines. */
async function loadPlot(): Promise<typeof Plot | undefined> {
  try {
    return (await import('uplot')).default
  } catch {
    return undefined
  }
}

/** A line over the last minutes, its present value, and both in words for those who do not see it. */
export function Chart({ title, unit, times, values, format }: ChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const readout = useRef<HTMLSpanElement>(null)
  const plot = useRef<Plot | undefined>(undefined)
  const shown = useRef<Plot.AlignedData>([[], []])
  const colours = useValue(theme)
  shown.current = [[...times], [...values]]

  useEffect(() => {
    const { current } = place
    if (current === null) return undefined
    const resized = new ResizeObserver(() =>
      plot.current?.setSize({ width: current.clientWidth, height: HEIGHT }),
    )
    let wanted = true
    void loadPlot().then((Drawing) => {
      if (!wanted || Drawing === undefined) return
      plot.current = new Drawing(optionsOf(current, format, readout.current), shown.current, current)
      scale(plot.current, shown.current)
      resized.observe(current)
    })
    return () => {
      wanted = false
      resized.disconnect()
      plot.current?.destroy()
      plot.current = undefined
    }
  }, [colours])

  useEffect(() => {
    if (plot.current === undefined) return
    plot.current.setData(shown.current, false)
    scale(plot.current, shown.current)
  }, [times])

  const known = values.filter((value) => value !== null)
  const last = known.at(-1)
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="chart-value">{last === undefined ? '–' : format(last)}</span>
        <span class="chart-readout" ref={readout} aria-hidden="true" />
        <span class="unseen">{last === undefined ? 'nothing known yet' : describe(known, unit, format)}</span>
      </figcaption>
      <div class="chart-place" ref={place} aria-hidden="true" />
    </figure>
  )
}

function describe(known: readonly number[], unit: string, format: (value: number) => string): string {
  const [least, most] = [Math.min(...known), Math.max(...known)].map(format)
  return `${unit}; in the last minutes between ${least} and ${most}`
}

/** The last minutes, up to now; from nothing to a little above the most. */
function scale(plot: Plot, [times, values]: Plot.AlignedData): void {
  const end = times.at(-1) ?? 0
  const begin = Math.max(times[0] ?? 0, end - HISTORY_SECONDS)
  const most = Math.max(0, ...(values ?? []).map((value) => value ?? 0))
  plot.batch(() => {
    plot.setScale('x', { min: Math.min(begin, end - 30), max: end })
    plot.setScale('y', { min: 0, max: most === 0 ? 1 : most * 1.15 })
  })
}

function optionsOf(
  place: HTMLElement,
  format: (value: number) => string,
  readout: HTMLElement | null,
): Plot.Options {
  const style = getComputedStyle(place)
  const colour = (name: string): string => resolved(place, style.getPropertyValue(name))
  const axis = {
    stroke: colour('--muted'),
    font: FONT,
    ticks: { show: false },
    grid: { stroke: colour('--line'), width: 1 },
  }
  return {
    width: place.clientWidth,
    height: HEIGHT,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    cursor: { y: false, sync: { key: TOGETHER }, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { x: { time: true, auto: false }, y: { auto: false } },
    axes: [
      {
        ...axis,
        size: 24,
        space: 70,
        grid: { show: false },
        values: (_plot, splits) => splits.map(clockTime),
      },
      { ...axis, size: 44, space: 28, values: (_plot, splits) => splits.map((value) => axisText(value)) },
    ],
    series: [
      {},
      {
        stroke: colour('--chart'),
        fill: colour('--chart-fill'),
        width: 1.75,
        points: { show: false },
        spanGaps: false,
      },
    ],
    hooks: {
      setCursor: [
        (plot) => {
          if (readout === null) return
          const { idx } = plot.cursor
          const [time, value] = [plot.data[0][idx ?? -1], plot.data[1]?.[idx ?? -1]]
          readout.textContent =
            time === undefined || value === undefined || value === null
              ? ''
              : `${format(value)} at ${clockTime(time)}`
        },
      ],
    },
  }
}

/** A colour as a canvas takes it: custom properties are not resolved by themselves. */
function resolved(place: HTMLElement, value: string): string {
  const probe = document.createElement('span')
  probe.style.color = value
  place.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

function axisText(value: number): string {
  if (value >= 1_000) return `${Number((value / 1_000).toFixed(1))}k`
  return String(Number(value.toFixed(2)))
}

function clockTime(seconds: number): string {
  return new Date(seconds * 1_000).toLocaleTimeString('en-GB')
}
