import { useLayoutEffect, useRef } from 'preact/hooks'
import type { RefObject } from 'preact'

const still = matchMedia('(prefers-reduced-motion: reduce)')
/** Milliseconds that a movement takes. */
const DURATION = 350

/**
 * Lets what is in `element` glide to its place when `count` things were put before it: from where it was, `step` away
 * for each of them. Readers who want less motion see it in its place at once.
 */
export function useSlide(
  element: RefObject<Element | null>,
  newest: number | undefined,
  move: (added: number, element: Element) => string,
): void {
  const before = useRef(newest)
  useLayoutEffect(() => {
    const added = newest === undefined || before.current === undefined ? 0 : newest - before.current
    before.current = newest
    const moved = element.current
    if (added <= 0 || moved === null || still.matches) return
    moved.animate([{ transform: move(added, moved) }, { transform: 'none' }], {
      duration: DURATION,
      easing: 'cubic-bezier(0.2, 0.8, 0.3, 1)',
    })
  }, [newest])
}
