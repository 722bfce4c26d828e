//! What a module without `std` must bring: an allocator and an end for panics.

use core::panic::PanicInfo;

use lol_alloc::{AssumeSingleThreaded, FreeListAllocator};

// Of the small allocators the one that gives memory back to neighbours, so that a long life does not grow it.
#[global_allocator]
#[expect(unsafe_code, reason = "a lock that is always free would be a hundredth of the module")]
static ALLOCATOR: AssumeSingleThreaded<FreeListAllocator> =
    // SAFETY: a thread of WASM needs shared memory. The module's is not: it is built without the feature `atomics`, and
    // wasm-opt is told to refuse that.
    unsafe { AssumeSingleThreaded::new(FreeListAllocator::new()) };

/// The core has no panic that input can reach; a message would cost the module its formatting code.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
