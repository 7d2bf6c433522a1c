/*
 * Small drawings. They say nothing that is not said in words beside them.
 */
import type { ComponentChildren } from 'preact'

function Icon({ children }: { readonly children: ComponentChildren }) {
  return (
    <svg
      class="icon"
      viewBox="0 0 16 16"
      width="16"
      height="16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  )
}

export function CopyIcon() {
  return (
    <Icon>
      <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
      <path d="M10.5 5.500V4A1.5 1.5 0 0 0 9 2.500H4A1.5 1.5 0 0 0 2.5 4v5A1.5 1.5 0 0 0 4 10.500h1.5" />
    </Icon>
  )
}

export function CheckIcon() {
  return (
    <Icon>
      <path d="m3 8.5 3.3 3.300L13 4.8" />
    </Icon>
  )
}

export function SearchIcon() {
  return (
    <Icon>
      <circle cx="7" cy="7" r="4.5" />
      <path d="m10.5 10.5 3 3" />
    </Icon>
  )
}

export function SunIcon() {
  return (
    <Icon>
      <circle cx="8" cy="8" r="3" />
      <path d="M8 1.200v1.300M8 13.500v1.300M1.2 8h1.300M13.5 8h1.300M3.2 3.200l.9.9M11.9 11.900l.9.9M3.2 12.800l.9-.9M11.9 4.100l.9-.9" />
    </Icon>
  )
}

export function MoonIcon() {
  return (
    <Icon>
      <path d="M13.5 9.600A5.7 5.7 0 0 1 6.4 2.500a5.7 5.7 0 1 0 7.1 7.100Z" />
    </Icon>
  )
}

export function BackIcon() {
  return (
    <Icon>
      <path d="M9.8 3.5 5.3 8l4.5 4.5" />
    </Icon>
  )
}

export function ForthIcon() {
  return (
    <Icon>
      <path d="M6.2 3.5 10.7 8l-4.5 4.5" />
    </Icon>
  )
}

export function PauseIcon() {
  return (
    <Icon>
      <path d="M5.5 3.500v9M10.5 3.500v9" />
    </Icon>
  )
}

export function PlayIcon() {
  return (
    <Icon>
      <path d="M5 3.200v9.600l7.5-4.800Z" />
    </Icon>
  )
}

/** Three bars that grow: the mark of the page. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
      <rect width="32" height="32" rx="7" class="mark-ground" />
      <path d="M7 22h5v-6H7zm6.5 0h5V11h-5zM20 22h5V7h-5z" class="mark-bars" />
    </svg>
  )
}
