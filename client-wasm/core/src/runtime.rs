//! What a module without `std` must bring: an allocator and an end for panics.

use core::panic::PanicInfo;

use lol_alloc::{FreeListAllocator, LockedAllocator};

// Of the small allocators the one that gives memory back to neighbours, so that a long life does not grow it. The lock is a
// byte that is always free: there are no threads.
#[global_allocator]
static ALLOCATOR: LockedAllocator<FreeListAllocator> =
    LockedAllocator::new(FreeListAllocator::new());

/// The core has no panic that input can reach; a message would cost the module its formatting code.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
